# %%
# ruff: noqa: D100
from reproductions.report import nb

paper = nb.paper()
paper.overview()

# %% [markdown]
# A hierarchical VAE stacks Gaussian layers, and its top layers tend to die: their posterior falls back onto the
# prior and carries nothing of the image. The paper smooths the generative conditionals during training. Each mean
# $\mu(z)$ and standard deviation $\sigma(z)$ is replaced by its Ornstein-Uhlenbeck average
#
# $$U_\rho f(z)=\mathrm{E}_{\omega\sim N(0,I)}\,f\left(\rho z+\sqrt{1-\rho^2}\,\omega\right),$$
#
# which damps the Hermite coefficient of degree $d$ by $\rho^{d}$. At $\rho=1$ nothing changes; at $\rho=0$ only the
# mean is left. The model that is evaluated is always the original, unsmoothed one.

# %%
paper.contents()

# %% [markdown]
# ## The phase transition
#
# The paper's Figure 1: the KL of the top layer against $\rho$, one point per trained model. In practice the average is
# taken over $K$ correlated samples, which scales the variance of a linear function by
# $r=\rho^2+(1-\rho^2)/K$; the upper axis shows this effective strength. With $K=1$ it is 1 at every $\rho$, so that
# arm is the control: there, smoothing cannot do anything.

# %%
paper.figure(
    "hvae/phase_transition",
    "figure_1",
    alt="KL of the top layer in nats against the correlation rho, each seed a thin line, the median and its band on "
    "top; half height and sharpness are marked with their intervals.",
    caption="Twin of Figure 1. Thin lines are seeds, the heavy line their median, the band its 95% bootstrap interval.",
)

# %%
paper.claims(
    "hvae/fig-1/sharp-drop-at-critical-rho",
    "hvae/sec-6/rho-controls-transition",
    "hvae/fig-1/same-critical-rho-across-datasets",
)

# %% [markdown]
# ### Only the strength counts
#
# If smoothing acts through the variance of the linear part alone, arms with equal $r$ must agree whatever $\rho$ and
# $K$ are, and $K=1$ must collapse like the ordinary VAE. The dotted line marks the strength of $\rho=0.85$, $K=5$, at
# which $K=2$ and $K=20$ were run too.

# %%
paper.figure(
    "hvae/phase_transition",
    "controls",
    alt="KL of the top layer against the strength r, one dot per trained model, by number of correlated samples K; "
    "dots of equal r lie together, those of K = 1 at zero.",
    caption="Every trained model of the digits sweep against its strength r; each dot is one seed.",
)

# %%
paper.claims("hvae/sec-2-2/five-to-ten-samples-suffice-in-training")

# %% [markdown]
# ### Is the active layer used?
#
# The KL of the top layer does not involve the decoder, so a large one does not show that the layer is used. Two
# controls do: what it costs to decode an image from another image's top latent, and the information of the top latent
# about the image.

# %%
paper.figure(
    "hvae/phase_transition",
    "top_use",
    alt="Left: cost in nats of decoding from another image's top latent, against rho. Right: mutual information of the "
    "image and the top latent, against rho. Both fall to zero towards rho = 1.",
    caption="Use of the top layer by the decoder (left) and its information about the image (right), unsmoothed model.",
)

# %% [markdown]
# ## Collapse and the bound
#
# The paper's Figure 2: without smoothing the top layer collapses at once, with smoothing it stays active; and the bound
# is said to improve. The right panel shows the paired difference of the importance-weighted bound, one dot per seed.

# %%
paper.figure(
    "hvae/collapse",
    "figure_2",
    alt="Left: top KL against the optimiser step for five values of rho, logarithmic; rho = 1 falls below 0.1 nat, the "
    "others stay above one. Right: paired gain of the bound against rho = 1, one dot per seed.",
    caption="Twin of Figure 2 at four layers of 8 units on digits. Left: training batches. Right: held-out images.",
)

# %%
paper.claims(
    "hvae/fig-2/vae-collapses-hvae-does-not",
    "hvae/fig-2/improved-validation-elbo",
    "hvae/abstract/variance-reduction-mitigates-collapse",
)

# %% [markdown]
# ## Size and cost at full scale
#
# The paper's residual models for CIFAR-10 are built without memory and their training steps counted: bytes of the
# tensors that the backward pass needs, each storage once, and 16 for each parameter. How the networks are laid out is
# not stated; the layout was chosen to fit the printed parameter counts, so those confirm nothing, and the ratios of
# memory say more than the gigabytes.

# %%
from reproductions.hvae._figures_memory import COLUMNS, memory_rows  # noqa: E402

stored = [paper.site.best_table(source, "hvae/memory") for source in paper.site.sources]
counted = [rows for scale, rows in filter(None, stored) if scale != "smoke"]
paper.table(
    "Table 6: five correlated or importance samples, batch 64",
    COLUMNS,
    memory_rows(counted[0]) if counted else [],
    numeric=range(1, len(COLUMNS)),
)

# %%
paper.figure(
    "hvae/memory",
    "table_6",
    alt="Left: memory of a training step against the number of stochastic layers for the VAE, the HVAE with five "
    "correlated samples and the IWAE with five importance samples, with the printed values at 4 and 6 layers. Right: "
    "the same relative to the VAE; the HVAE stays between 1.4 and 2.2, the IWAE between 3.3 and 4.1.",
    caption="Memory of training, counted (filled marks) and printed in Table 6 (open marks).",
)

# %%
paper.claims(
    "hvae/table-6/memory-ratios",
    "hvae/table-6/memory-ordering",
    "hvae/sec-2-2/five-samples-cost-far-below-five-times",
    "hvae/table-5/hvae-parameter-counts",
)

# %% [markdown]
# ## Everything else that was decided
#
# Identities and theorems of sections 2 and 3 are checked exactly; the tables at the scale that is named.

# %%
paper.claims(decided=True)

# %% [markdown]
# ## Claims that wait
#
# Nothing here has been shown to be wrong or right; each says what it waits for.

# %%
paper.remaining()
