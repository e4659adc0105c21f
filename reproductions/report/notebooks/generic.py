# %%
# ruff: noqa: D100
from reproductions.report import nb

paper = nb.paper()
paper.overview()

# %%
paper.contents()

# %% [markdown]
# ## Claims with a verdict
#
# Each claim stands beside the paper's numbers, our result at every scale that was run, and the criterion that was
# written before the run. The largest scale decides; smaller ones stay visible.

# %%
paper.claims(decided=True)

# %% [markdown]
# ## Claims that wait
#
# Nothing here has been shown to be wrong or right; each says what it waits for.

# %%
paper.remaining()
