"""Sentences and table twins of the page; numbers come from the claims (the paper's) and from result tables (ours).

A sentence whose runs are not there is left out; without any the question says what would answer it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reproductions.sigma_vae import tables as printed
from reproductions.sigma_vae._figures import Table, cell, label, values

Tables = Mapping[str, Table]

TABLE_3 = {
    "Bernoulli VAE": "bernoulli",
    "Categorical VAE": "categorical",
    "bitwise-categorical VAE": "bitwise",
    "Logistic mixture VAE": "mixture",
    "Gaussian VAE": "gaussian",
    "beta-VAE": "beta_0.01",
    "Shared sigma-VAE": "shared",
    "Optimal sigma-VAE": "optimal",
    "Opt. per-image sigma-VAE": "per_image",
}
TABLE_3_COLUMNS = (
    "Decoder",
    "CIFAR FID, printed",
    "Frey FID, printed",
    "Frey bound, printed",
    "Frey bound, ours (nats)",
    "digits bound, ours (nats)",
    "digits distance, ours",
)
TABLE_4 = {
    "Categorical VAE": "categorical",
    "Gaussian VAE": "gaussian",
    "Gaussian sigma-VAE": "sigma",
    "Disc. Gaussian sigma-VAE": "disc_gaussian",
    "Disc. Logistic sigma-VAE": "disc_logistic",
}
STEP_COLUMNS = ("Decoder", "CPU time of a step (s)", "unit Gaussian = 1", "lowest", "highest")


def step_rows(times: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What a training step of the paper's network takes with every decoder, from measured step times."""
    rows = times["28x28, 32 feature maps"]
    return [(label(row["decoder"]), row["seconds"], row["ratio"], *row["range"]) for row in rows]


TABLE_4_COLUMNS = ("Decoder", "-log p, printed (CIFAR)", "FID, printed", "-log p, ours (digits)", "distance, ours")


def table_3(tables: Tables) -> list[list[str]]:
    """Rows of the twin of Table 3: means over seeds, with their range."""
    fid = printed.columns("table-3/ordering-consistent-print", printed.FID)
    bounds: dict[str, float] = {}
    for claim in ("table-3/frey-nll-discrete", "table-3/frey-nll-gaussian"):
        bounds |= printed.columns(claim, printed.NLL)["Frey Face"]
    digits, faces = tables.get("sigma-vae/decoders", ()), tables.get("sigma-vae/frey", ())
    return [
        [
            name,
            f"{fid['CIFAR'][name]:g}",
            f"{fid['Frey Face'][name]:g}",
            f"{bounds[name]:g}" if name in bounds else "-",
            cell(values(faces, "nelbo", dataset="frey28", arm=arm)),
            cell(values(digits, "nelbo", dataset="digits16", arm=arm, stage="common")),
            cell(values(digits, "fd_mean", dataset="digits16", arm=arm, stage="common")),
        ]
        for name, arm in TABLE_3.items()
    ]


def table_4(tables: Tables) -> list[list[str]]:
    """Rows of the twin of Table 4: means over seeds, with their range."""
    bounds = printed.rows("table-4/nll-values", printed.NLL)
    fid = printed.rows("table-4/fid-values", printed.FID)
    ours = tables.get("sigma-vae/discretised", ())
    return [
        [
            name,
            f"{bounds[name]:g}",
            f"{fid[name]:g}",
            cell(values(ours, "mass_nelbo", dataset="digits16", arm=arm)),
            cell(values(ours, "fd_mean", dataset="digits16", arm=arm)),
        ]
        for name, arm in TABLE_4.items()
    ]


def _gaussian(tables: Tables) -> Iterator[str]:
    table = tables.get("sigma-vae/decoders", ())
    arms = {name: values(table, "fd_mean", arm=name, stage="common") for name in ("gaussian", "optimal")}
    rate = values(table, "rate", arm="gaussian", stage="common")
    if len(arms["gaussian"]):
        floor = values(table, "real_distance", arm="real").mean()
        yield (
            f"On digits the unit Gaussian carries {rate.mean():.2g} nats and its samples lie at a distance of "
            f"{arms['gaussian'].mean():.3g}; with the optimal sigma it is {arms['optimal'].mean():.3g}, and real test "
            f"images get {floor:.2g}."
        )
    faces = tables.get("sigma-vae/frey", ())
    gaussian, optimal = (values(faces, "nelbo", dataset="frey28", arm=name) for name in ("gaussian", "optimal"))
    if len(gaussian) and len(optimal):
        yield (
            f"On Frey Face its bound is {gaussian.mean():.1f} nats (printed: 726.4), and {optimal.mean():.0f} with the "
            f"optimal sigma (printed: -1622)."
        )


def _speed(tables: Tables) -> Iterator[str]:
    table = tables.get("sigma-vae/decoders", ())
    shared, optimal = (values(table, "t_conv", arm=name, stage="late") for name in ("shared", "optimal"))
    if len(shared):
        yield (
            f"The learned sigma arrives after {shared.mean():.0f} steps, the closed-form one after "
            f"{optimal.mean():.0f}."
        )
        gaps = [values(table, name, summary="convergence").mean() for name in ("early_gap", "late_gap")]
        yield (
            f"On held-out images the closed form is {gaps[0]:.1f} nats ahead early on; at the end the difference is "
            f"{gaps[1]:.1f} nats."
        )
    crossing = values(tables.get("sigma-vae/frey", ()), "crossing", summary="crossing")
    if len(crossing):
        steps = " to ".join(dict.fromkeys(f"{end:.0f}" for end in (crossing.min(), crossing.max())))
        yield (
            f"On Frey Face the learned sigma reaches its printed bound of -49.78 after {steps} steps; ten epochs would "
            "be 160."
        )


def _tuning(tables: Tables) -> Iterator[str]:
    table = tables.get("sigma-vae/beta_grid", ())
    best, far, off = (values(table, name, summary="grid") for name in ("best_to_optimal", "share_far", "decades_off"))
    if len(best):
        yield (
            f"The best beta of the grid gives samples at {best.mean():.2f} times the distance of the optimal sigma; "
            f"{100 * far.mean():.0f}% of the grid is more than twice as far as the best. The beta with the best bound "
            f"is {off.mean():.1f} decades from the fitted variance."
        )


def _discrete(tables: Tables) -> Iterator[str]:
    table = tables.get("sigma-vae/decoders", ())
    bounds = {
        name: values(table, "nelbo", arm=name, stage="discrete") for name in ("categorical", "mixture", "bitwise")
    }
    if all(len(found) for found in bounds.values()):
        told = ", ".join(f"{label(name)} {found.mean():.1f}" for name, found in bounds.items())
        yield f"Bounds on digits of 16 levels, in nats: {told}."
    four = values(tables.get("sigma-vae/discretised", ()), "spread", summary="table 4")
    if len(four):
        yield (
            f"A Gaussian density that is read as masses, the discretised Gaussian and the discretised logistic lie "
            f"within {100 * four.mean():.1f}% of each other."
        )


def _errors(tables: Tables) -> Iterator[str]:
    for name, table in (("decoders", tables.get("sigma-vae/decoders", ())), ("frey", tables.get("sigma-vae/frey", ()))):
        for dataset in ("digits16", "frey28"):
            summary = "estimates" if name == "decoders" else "standard_errors"
            batch, one = (
                values(table, metric, dataset=dataset, summary=summary)
                for metric in ("batch_error", "one_sample_error")
            )
            if len(batch) and (name, dataset) != ("frey", "digits16"):
                yield (
                    f"On {dataset} a batch of 128 gives sigma with a standard error of {batch.mean():.2g}%, one sample "
                    f"for every training image with {one.mean():.2g}% (printed: 2% and 0.26%)."
                )
    bias = values(tables.get("sigma-vae/decoders", ()), "same_batch_bias", summary="estimates")
    if len(bias):
        yield f"Scoring the batch that gave the sigma flatters the bound by {abs(bias.mean()):.2g} nats."


def _colour(tables: Tables) -> Iterator[str]:
    table = tables.get("sigma-vae/colour", ())
    for dataset in ("huedigits", "photo8"):
        drop = values(table, "probe_drop", dataset=dataset, summary="autoregression")
        rise = values(table, "chroma_rise", dataset=dataset, summary="autoregression")
        if len(drop):
            yield (
                f"On {dataset} the probe's $R^2$ for colour falls by {drop.mean():.3f} with autoregressive channels, "
                f"and the colour error of draws changes by a factor of {rise.mean():.2f}."
            )


QUESTIONS: tuple[tuple[str, Callable[[Tables], Iterator[str]], tuple[str, ...]], ...] = (
    ("Does a unit-variance Gaussian fail?", _gaussian, ("decoders", "frey")),
    ("Is the closed-form sigma faster than a learned one?", _speed, ("decoders", "frey")),
    ("Does a beta-VAE need tuning?", _tuning, ("beta_grid",)),
    ("Which discrete decoder is best, and is a density as good?", _discrete, ("decoders", "discretised")),
    ("How well is sigma known from a batch?", _errors, ("decoders", "frey")),
    ("Do autoregressive channels take colour from the latent?", _colour, ("colour",)),
)
REPRODUCTIONS = tuple(
    f"sigma-vae/{name}" for name in dict.fromkeys(name for _, _, names in QUESTIONS for name in names)
)


def show(page: Any) -> Any:
    """Return the block of questions and answers for a page of the report, one answer per source of results."""
    from reproductions.report import nb, prose
    from reproductions.report.model import SOURCE_LABELS

    parts: list[str] = []
    for question, answer, names in QUESTIONS:
        parts.append(f"<h3>{html.escape(question)}</h3>")
        told = {source: " ".join(answer(stored(page.site, source))) for source in page.site.sources}
        for source, sentences in told.items():
            if sentences:
                name = f"<b>{SOURCE_LABELS[source]}:</b> " if page.site.has_machine else ""
                parts.append(f"<p>{name}{prose.inline(sentences)}</p>")
        if not any(told.values()):
            command = nb.run_command(page.site, *(f"sigma-vae/{name}" for name in names))
            parts.append(f'<p class="none">No results yet. <code>{html.escape(command)}</code> makes them.</p>')
    return nb.Display("\n".join(parts))


def stored(site: Any, source: str) -> dict[str, Table]:
    """Rows of every reproduction at the largest scale above smoke that a source holds."""
    found = {name: site.best_table(source, name) for name in REPRODUCTIONS}
    return {name: best[1] for name, best in found.items() if best is not None and best[0] != "smoke"}


def first_stored(site: Any) -> dict[str, Table]:
    """The same, of the first source that has anything."""
    for source in site.sources:
        found = stored(site, source)
        if found:
            return found
    return {}
