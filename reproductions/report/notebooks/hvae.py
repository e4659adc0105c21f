# %%
# ruff: noqa: D100
from reproductions.hvae import _answers, _beside
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
# ## Six questions
#
# Every number below is computed from the results when this page is built; ranges in brackets are 95% intervals over
# seeds. The verdicts are those of the claims that carry the question.

# %%
_answers.show(paper)

# %% [markdown]
# ## Does the top layer collapse, and does smoothing prevent it?
#
# The paper's Figure 2: without smoothing the top layer collapses at once, with smoothing it stays active; and the bound
# is said to improve. The right panel shows the paired difference of the importance-weighted bound, one dot per seed.

# %%
paper.figure(
    "hvae/collapse",
    "figure_2",
    alt="Left: top KL against the optimiser step for every rho, on a logarithmic axis. Right: paired gain of the bound "
    "against rho = 1, one dot per seed.",
    caption="Twin of Figure 2 at four layers of 8 units on digits. Left: training batches. Right: held-out images.",
)

# %%
paper.claims(
    "hvae/fig-2/vae-collapses-hvae-does-not",
    "hvae/abstract/variance-reduction-mitigates-collapse",
)

# %% [markdown]
# ### Against the other remedies
#
# Tables 3 and 4 compare with KL annealing, free bits and importance samples, all after equal numbers of steps. Ours are
# small twins of the paper's two shapes, on digits: levels cannot be compared, the order of the methods can.

# %%
paper.figure(
    "hvae/baselines",
    "baselines",
    alt="Five panels with one lane for each method: KL of the top layer, active share of the top layer, cost of "
    "another image's top latent, information of the top layer about the image, and the bound; one dot per seed, the "
    "median as a bar, two shapes of the model.",
    caption="Twin of Tables 3 and 4: every method on two shapes, flat (8-8-8-8) and pyramid (8-6-4-3); digits. The "
    "estimate of the information is biased low, and more so where the top layer is noisy: values below zero are that "
    "bias.",
)

# %%
stored = {
    source: {name: best for name in sorted(paper.site.modules) if (best := paper.site.best_table(source, name))}
    for source in paper.site.sources
}


def rows_of(name):
    """Rows of a reproduction at its largest scale above smoke, of the first source that has any."""
    found = [best[name] for best in stored.values() if name in best and best[name][0] != "smoke"]
    return found[0][1] if found else []


tables = [
    paper.table(caption, _beside.BASELINE_COLUMNS, rows, numeric=range(1, len(_beside.BASELINE_COLUMNS))).markup
    for caption, rows in _beside.baseline_tables(rows_of("hvae/baselines")).items()
]
nb.Display("\n".join(tables))

# %%
paper.claims(
    "hvae/table-3/hvae-larger-top-kl",
    "hvae/table-4/hvae-top-kl-an-order-larger",
    "hvae/table-3/hvae-activity-across-layers",
    "hvae/table-3/pyramid-helps-baselines",
)

# %% [markdown]
# ### Over depth and width
#
# The paper's Figure 3: the share of inactive units over a grid of depths and widths.

# %%
paper.figure(
    "hvae/depth_width",
    "figure_3",
    alt="Three grids of depth against width with a number in every cell: the share of inactive units of the VAE, that "
    "of the Hermite VAE at rho = 0.9, and the difference of their bounds.",
    caption="Twin of Figure 3: medians over seeds; digits. A unit is active if the mean of its posterior varies "
    "between images, corrected for sampling.",
)

# %%
paper.claims(
    "hvae/fig-3/vae-inactive-with-depth-and-width",
    "hvae/fig-3/hvae-active-over-grid",
    "hvae/fig-3/similar-elbos",
)

# %% [markdown]
# ## Is the transition sharp?
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
)

# %% [markdown]
# ### Other widths and depths
#
# The claim is that the transition gets sharper as layers get wider, and that its place belongs to the configuration.

# %%
paper.figure(
    "hvae/transition_by_shape",
    "shapes",
    alt="Three panels of top KL, divided by its value at the lowest rho, against rho: by width, by depth, and by data "
    "set; seeds as thin lines, medians on top.",
    caption="The transition in other shapes of the model, each curve divided by its start.",
)

# %%
paper.figure(
    "hvae/transition_by_shape",
    "drops",
    alt="Six panels: onset of collapse, steepest drop in nats and sharpness, against width in the upper row and depth "
    "in the lower row; one dot per seed, the medians joined.",
    caption="Where each seed's curve drops and how steeply. Dots are seeds, lines join their medians.",
)

# %%
paper.claims(
    "hvae/fig-1/more-pronounced-with-width",
    "hvae/sec-5-1-1/critical-rho-fixed-per-configuration",
)

# %% [markdown]
# ### Does its place move with the length of training?
#
# The paper speaks of one critical value for a model. The closed form below says otherwise: the longer the training, the
# closer to 1 it comes. So one ensemble is measured at several lengths on its way.

# %%
paper.figure(
    "hvae/training_length",
    "training_length",
    alt="Left: KL of the top layer against rho at every length of training. Right: the rho of half height and of the "
    "onset of collapse against the number of steps, one dot per seed.",
    caption="The same models at several lengths of training: the curve (left) and the place of the drop (right).",
)

# %% [markdown]
# ### The mechanism
#
# To smooth a linear map is to change the objective: the variance that it adds is scaled by $r$. For a linear-Gaussian
# layer all is known in closed form; trained layers are drawn over it. If smoothing acts through the linear part alone,
# arms with equal $r$ must agree whatever $\rho$ and $K$ are, and $K=1$ must collapse like the ordinary VAE. In the
# second figure the dotted line marks the strength of $\rho=0.85$, $K=5$, at which other $K$ were run too.

# %%
paper.figure(
    "hvae/linear_mechanism",
    "mechanism",
    alt="Left: trained KL of a linear-Gaussian layer against rho at several lengths of training, with the closed form "
    "as dotted lines. Right: gain of the trained model against the closed-form gain of its posterior, and a line of "
    "slope 1.",
    caption="A linear-Gaussian layer. Left: trained, and descent on the closed form as dotted lines; where these "
    "zigzag, descent with steps of this size ends in a cycle between two points. Right: what leaving the collapsed "
    "point gains.",
)

# %%
paper.figure(
    "hvae/phase_transition",
    "controls",
    alt="KL of the top layer against the strength r, one dot per trained model, by number of correlated samples K; "
    "dots of equal r lie together, those of K = 1 at zero.",
    caption="Every trained model of the digits sweep against its strength r; each dot is one seed.",
)

# %%
paper.claims("hvae/fig-1/toy-transition-exact", "hvae/sec-2-2/five-to-ten-samples-suffice-in-training")

# %% [markdown]
# ### The variance of the gradient
#
# The title's variance: that of the gradient, at the parameters of an ordinary VAE and with the same posterior noise.

# %%
paper.figure(
    "hvae/gradient_variance",
    "gradient_variance",
    alt="Variance of the gradient relative to rho = 1, against rho, for the uppermost and the lowest of the smoothed "
    "networks.",
    caption="Variance of the gradient over noise draws, relative to that without smoothing. Smoothed networks only.",
)

# %%
paper.claims("hvae/sec-1/high-variance-causes-unstable-training")

# %% [markdown]
# ## Is it the same on two data sets?
#
# Figure 1 above holds the curves of every data set that was swept with the same model, and the right panel of the
# figure on shapes divides them by their starts.

# %%
paper.claims(
    "hvae/fig-1/same-critical-rho-across-datasets",
    "hvae/sec-5-1-1/sharpness-independent-of-dataset",
)

# %% [markdown]
# ## Does the bound improve?
#
# The right panel of the twin of Figure 2 holds the paired differences of $L_{100}$ from the ordinary VAE, and the
# last panel of the baselines the levels of all methods.

# %%
paper.claims(
    "hvae/fig-2/improved-validation-elbo",
    "hvae/table-3/hvae-best-elbo",
    "hvae/table-4/plain-hvae-not-best-elbo",
    "hvae/table-4/annealing-helps-hvae",
)

# %% [markdown]
# ### Five layers against four
#
# Table 2: the printed bounds of two pyramids, the arithmetic of the table, and ours beside it. The levels cannot be
# compared (other images, 100 importance samples instead of 5000), the difference can.

# %%
paper.table(
    "Table 2 and its small twin: higher is better",
    _beside.DEPTH_COLUMNS,
    _beside.depth_rows(rows_of("hvae/five_layers")),
    numeric=range(1, len(_beside.DEPTH_COLUMNS)),
)

# %%
paper.figure(
    "hvae/five_layers",
    "five_layers",
    alt="Paired differences of the bound and of the top KL between five layers and four, one dot per seed.",
    caption="Pyramid 8-6-4-3-2 less pyramid 8-6-4-3, one dot per seed, the mean as a bar.",
)

# %%
paper.claims("hvae/table-2/five-layers-not-worse-than-four")

# %% [markdown]
# ### Variants of the smoothing
#
# The paper mentions two: the ratio $\mu/\sigma$ is smoothed instead of the mean, and the posterior is smoothed too.

# %%
paper.figure(
    "hvae/smoothing_variants",
    "variants",
    alt="Paired differences of the bound and of the top KL from the default smoothing, for the smoothed ratio and for "
    "the smoothed posterior, one dot per seed.",
    caption="Two variants less the default, one dot per seed, the mean as a bar.",
)

# %%
paper.claims("hvae/sec-2-2/ratio-parameterisation", "hvae/sec-2-2/smoothing-posterior-little-benefit")

# %% [markdown]
# ### Free bits
#
# Free bits are said to slow training down, and to make it unstable from four nats per layer on.

# %%
paper.figure(
    "hvae/free_bits",
    "free_bits",
    alt="Left: the bound on held-out images over training for every value of free bits. Right, where it was run: the "
    "largest jump of each run's loss in standard deviations, with the limit from which a run counts as unstable.",
    caption="Left: the bound over training. Right, where MNIST is at hand: the largest jump of the loss in each run; "
    "above the dashed line a run counts as unstable.",
)

# %%
paper.claims("hvae/sec-5-1/free-bits-slows-training", "hvae/sec-5-1/free-bits-unstable-from-four")

# %% [markdown]
# ### Residual models on colour patches
#
# Table 5 at a small size: the residual convolutional model with 2, 3 and 4 layers, and with stochastic skips.

# %%
paper.figure(
    "hvae/colour_patches",
    "colour_patches",
    alt="Bits per dimension of held-out colour patches for two, three, three with skips and four layers; one dot per "
    "seed, dots of a seed joined, medians as bars.",
    caption="Twin of Table 5: 8x8 colour patches, lower is better. Dots of one seed are joined.",
)

# %%
paper.claims(
    "hvae/table-5/depth-improves-bits",
    "hvae/table-5/skip-improves-bits",
    "hvae/table-5/importance-samples-tighten",
)

# %% [markdown]
# ## Are the active units used by the decoder?
#
# The KL of the top layer does not involve the decoder, so a large one does not show that the layer is used. Two
# controls do: the top-down gap, what it costs to decode an image from another image's top latent, and the information
# of the top latent about the image. The second is a nested Monte Carlo estimate that is biased low, and more so where
# the top layer is noisy; values below zero are that bias.

# %%
paper.figure(
    "hvae/phase_transition",
    "top_use",
    alt="Left: cost in nats of decoding from another image's top latent, against rho. Right: estimated information of "
    "the top latent about the image, against rho.",
    caption="Use of the top layer by the decoder (left) and its information about the image (right), unsmoothed model.",
)

# %% [markdown]
# ## Size and cost at full scale
#
# The paper's residual models for CIFAR-10 are built without memory and their training steps counted: bytes of the
# tensors that the backward pass needs, each storage once, and 16 for each parameter. How the networks are laid out is
# not stated; the layout was chosen to fit the printed parameter counts, so those confirm nothing, and the ratios of
# memory say more than the gigabytes. The command `python -m reproductions.hvae` counts both tables anew, without a GPU.

# %%
paper.table(
    "Table 5: parameters",
    _beside.PARAMETER_COLUMNS,
    _beside.parameter_rows(rows_of("hvae/parameters")),
    numeric=range(1, len(_beside.PARAMETER_COLUMNS)),
)

# %%
from reproductions.hvae._figures_memory import COLUMNS, memory_rows  # noqa: E402

paper.table(
    "Table 6: five correlated or importance samples, batch 64",
    COLUMNS,
    memory_rows(rows_of("hvae/memory")),
    numeric=range(1, len(COLUMNS)),
)

# %%
paper.figure(
    "hvae/memory",
    "table_6",
    alt="Left: memory of a training step against the number of stochastic layers for the VAE, the HVAE with five "
    "correlated samples and the IWAE with five importance samples, with the printed values at 4 and 6 layers. Right: "
    "the same relative to the VAE.",
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
# ### What the paper's own perceptrons would take
#
# The `gpu` scale trains the paper's 4-layer perceptrons for 100,000 steps, the whole grid of $\rho$ as one ensemble. No
# GPU was at hand, so nothing of it was run; instead, a step of each ensemble was timed on one CPU core, for batches of
# 100 images of 28x28 pixels and five correlated samples.

# %%
from reproductions.hvae import _cost  # noqa: E402

paper.table(
    f"CPU time of a training step, one thread, {_cost.step_times()['processor']}; one seed",
    _beside.STEP_COLUMNS,
    _beside.step_rows(_cost.step_times()),
    numeric=range(2, len(_beside.STEP_COLUMNS)),
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
# Nothing here has been shown to be wrong or right; each says what it waits for, and those of the paper's own size name
# the runs that would decide them and what these would take.

# %%
paper.remaining()
