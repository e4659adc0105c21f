# %%
# ruff: noqa: D100
from reproductions.report import nb
from reproductions.sigma_vae import _answers

paper = nb.paper()
paper.overview()

# %% [markdown]
# A Gaussian decoder with its standard deviation fixed at 1 cannot tell a grey level from its neighbour: on images in
# $[0,1]$ it is best off ignoring its latent. The paper fits one $\sigma$ for all pixels, by gradient descent or in
# closed form,
#
# $$\sigma^{2}=\mathrm{E}_x\mathrm{E}_{q(z|x)}\frac{1}{D}\sum_{i=1}^{D}\left(x_i-\mu_i(z)\right)^2,$$
#
# and needs no weight on the KL then: a $\beta$-VAE with a squared error is the same model at the constant variance
# $\sigma^2=\beta$.

# %%
paper.contents()

# %% [markdown]
# ## Six questions
#
# Every number below is computed from the results when this page is built. Distances are Frechet distances of features
# of a small classifier (digits) or of a random network (faces, patches), never FID.

# %%
_answers.show(paper)

# %% [markdown]
# ## Unit variance against a fitted one
#
# Table 3 in small: the paper's numbers beside ours, means over seeds with their range. Its data sets and its Inception
# network are not ours, so that columns can be compared by their order only; the Frey Face column can by its values.
# Bounds of densities, which may be negative, are not comparable with those of masses (the discrete decoders).

# %%
ours = _answers.first_stored(paper.site)
paper.table(
    "Table 3 and its twin",
    _answers.TABLE_3_COLUMNS,
    _answers.table_3(ours),
    numeric=range(1, len(_answers.TABLE_3_COLUMNS)),
)

# %%
paper.figure(
    "sigma-vae/decoders",
    "decoders",
    alt="Two panels with one lane for each decoder: distance of samples on a logarithmic axis, and bound on the mass "
    "of the levels; one dot per seed, the mean as a bar.",
    caption="Every decoder on digits after equal numbers of steps.",
)

# %%
paper.figure(
    "sigma-vae/decoders",
    "samples",
    alt="One row of ten samples for each decoder; those of the unit Gaussian are one grey blob.",
    caption="Samples of digits: decoder means at draws from the prior, first seed.",
)

# %%
paper.figure(
    "sigma-vae/decoders",
    "reconstructions",
    alt="Ten test digits, and below them their reconstructions by each decoder.",
    caption="Reconstructions of test digits at the posterior mean, first seed.",
)

# %%
paper.claims(
    "sigma-vae/table-3/gaussian-worst-scaled",
    "sigma-vae/table-3/calibrated-best-scaled",
    "sigma-vae/table-3/unit-variance-collapse",
    "sigma-vae/table-3/frey-nll-gaussian",
    "sigma-vae/method/mean-mse-collapses",
)

# %%
paper.figure(
    "sigma-vae/frey",
    "samples",
    alt="Ten samples of faces for each of the learned sigma, the closed-form sigma and the unit Gaussian.",
    caption="Samples of Frey Face, decoder means, first seed.",
)

# %%
paper.figure(
    "sigma-vae/colour",
    "samples_huedigits",
    alt="Samples of coloured digits for the unit Gaussian, the optimal sigma and two mixtures of logistics.",
    caption="Samples of coloured digits, decoder means, first seed.",
)

# %%
paper.figure(
    "sigma-vae/colour",
    "samples_photo8",
    alt="Samples of 8x8 patches of photographs for the unit Gaussian, the optimal sigma and two mixtures of logistics.",
    caption="Samples of photograph patches, decoder means, first seed.",
)

# %%
paper.claims(
    "sigma-vae/figure-5/svhn-gaussian-blurry-muted",
    "sigma-vae/figure-6/celeba-gaussian-indistinct-faces",
    "sigma-vae/figure-8/cifar-gaussian-blurry-muted",
)

# %% [markdown]
# ## Learned or in closed form
#
# The paper's Figure 9. Adam moves the learned $\ln\sigma$ by about its learning rate a step, so that it needs thousands
# of steps to arrive; the closed form is at the optimum of the moment from the first step on.

# %%
paper.figure(
    "sigma-vae/decoders",
    "figure_9",
    alt="Left: log sigma against the step; the learned one falls along a straight line, the closed-form one at once; "
    "two constant lines for beta. Right: bound of the training batches.",
    caption="Twin of Figure 9 on digits. Thin lines are seeds, the heavy line their median.",
)

# %%
paper.figure(
    "sigma-vae/frey",
    "trajectories",
    alt="Log sigma and bound against the step on Frey Face for the learned and the closed-form sigma.",
    caption="The same on Frey Face, up to the step at which the learned sigma crosses its printed bound.",
)

# %%
paper.claims(
    "sigma-vae/figure-9/shared-initial-convergence-period",
    "sigma-vae/figure-9/optimal-fast",
    "sigma-vae/table-3/optimal-better-than-shared-scaled",
    "sigma-vae/table-3/frey-shared-needs-1000-steps",
)

# %% [markdown]
# ## The price of tuning beta

# %%
paper.figure(
    "sigma-vae/beta_grid",
    "beta",
    alt="Distance of samples and bound against beta; both have their minimum near the fitted variance, where they "
    "touch the level of the optimal sigma.",
    caption="Seven values of beta against the optimal sigma on digits; the dotted line is its variance.",
)

# %%
paper.claims(
    "sigma-vae/table-3/beta-needs-tuning",
    "sigma-vae/table-3/beta-optimum-near-sigma-squared",
    "sigma-vae/figure-9/constant-variance-suboptimal",
    "sigma-vae/appendix-b/kl-annealing-no-gain",
)

# %% [markdown]
# ## Discrete decoders
#
# Table 4 in small. A density and a mass can be compared only where the density is read as the mass of its bins.

# %%
paper.table(
    "Table 4 and its twin",
    _answers.TABLE_4_COLUMNS,
    _answers.table_4(ours),
    numeric=range(1, len(_answers.TABLE_4_COLUMNS)),
)

# %%
paper.figure(
    "sigma-vae/discretised",
    "table_4",
    alt="One lane for each decoder with its bound on the mass of the levels, one dot per seed.",
    caption="Bounds on the mass of 16 levels, digits.",
)

# %%
paper.claims(
    "sigma-vae/table-4/sigma-close-to-discretised-scaled",
    "sigma-vae/table-4/categorical-best-scaled",
    "sigma-vae/appendix-e/bitwise-on-par-scaled",
    "sigma-vae/appendix-e/mixture-more-capacity",
)

# %%
paper.figure(
    "sigma-vae/colour",
    "colour",
    alt="Three panels: rate, colour R squared of a linear probe, colour error of draws, without and with "
    "autoregressive channels, on two data sets.",
    caption="Colour in the latent without and with autoregressive (AR) channels.",
)

# %%
paper.claims("sigma-vae/appendix-e/autoregressive-channels-lose-colour")

# %% [markdown]
# What a decoder costs: the paper's network for grey images of 28x28 pixels, batches of 128, with each decoder in turn.

# %%
from reproductions.sigma_vae import _cost  # noqa: E402

paper.table(
    f"A training step on one thread, {_cost.step_times()['processor']}",
    _answers.STEP_COLUMNS,
    _answers.step_rows(_cost.step_times()),
    numeric=range(1, len(_answers.STEP_COLUMNS)),
)

# %% [markdown]
# ## How well sigma is known
#
# Section C estimates sigma from one batch or from one sample per image; section D gives each image its own.

# %%
paper.figure(
    "sigma-vae/strategies",
    "strategies",
    alt="One lane for each way of fitting sigma with its bound, one dot per seed.",
    caption="Bounds of models that were trained with different estimates of sigma, digits.",
)

# %%
paper.claims(where="Sec. C", decided=True)

# %%
paper.claims(where="Sec. D", decided=True)

# %% [markdown]
# ## A hierarchical model and a video model

# %%
paper.figure(
    "sigma-vae/hierarchical",
    "samples",
    alt="Rows of digits sampled from a hierarchical VAE, one row for each decoder.",
    caption="Samples of the hierarchical VAE on digits.",
)

# %%
paper.figure(
    "sigma-vae/hierarchical",
    "proxies",
    alt="Six panels with one lane for each decoder: bound, sharpness, variance, and the KL of three layers.",
    caption="The hierarchical VAE by decoder and ablation; one dot per seed, the median as a bar, data at 1.",
)

# %%
paper.claims(reproduction="sigma-vae/hierarchical")

# %%
paper.figure(
    "sigma-vae/video",
    "rollouts",
    alt="A true sequence of eight frames, and below it the six frames that each model predicts from the first two.",
    caption="A digit that moves, as predicted by one rollout of each arm's first seed.",
)

# %%
paper.figure(
    "sigma-vae/video",
    "by_frame",
    alt="Panels with sharpness, presence, ink, squared error, diversity and rate against the predicted frame.",
    caption="Predictions against the frame; thin lines are seeds.",
)

# %%
paper.claims(reproduction="sigma-vae/video")

# %% [markdown]
# ## Everything else that was decided

# %%
paper.claims(decided=True)

# %% [markdown]
# ## Claims that wait
#
# Nothing here has been shown to be wrong or right; each says what it waits for.

# %%
paper.remaining()
