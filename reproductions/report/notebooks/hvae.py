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
paper.claims(where="Figure 1")

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
