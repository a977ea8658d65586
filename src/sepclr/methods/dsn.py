"""Domain separation networks: Bousmalis, Trigeorgis, Silberman, Krishnan, Erhan, NeurIPS 2016 (arXiv 1608.06019).

    min  CE(h(c_source), y)  +  α L_recon  +  β L_difference  +  γ L_similarity
         classification         reconstruction  difference       similarity

c comes from an encoder of both domains, p from a private one of the sample's domain. L_recon is the scale-invariant mean squared error of
decoding (c, p) with a decoder that both domains share; L_difference sums ‖Cᵀ P‖² over domains, where the rows of C and P are centred codes
of length 1, as a mean over the products of dimensions; L_similarity is the cross-entropy of the domain from c, with reversed gradient as in
``sepclr.methods.domains``, whose classifier it has. It departs from the paper in that c and p are concatenated for the decoder, not added,
so that their dimensions may differ; in that reconstruction and difference average over samples and dimensions, which scales α and β; and
in encoders and schedule, which are those of the other methods. s is the private code of the target domain, for samples of both.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from sepclr.losses import full_precision
from sepclr.losses.average import over_views
from sepclr.methods.domains import DomainClassifier, by_view, classifier_parts, domain_head, of_domain, ramp, reversed_gradient
from sepclr.methods.options.dsn import DSNOptions, DSNWeights
from sepclr.nets import Networks
from sepclr.types import Batch, Codes, Outputs, Scalar


class DSN(DomainClassifier):
    """Domain separation networks.

    Args:
        common: encoder from samples (n, ...) to codes (n, d_c).
        standardise: layer that standardises codes (n, d_c).
        classifier: linear layer from standardised codes on the unit sphere (n, d_c) to logits (n, classes).
        domain: network from c on the unit sphere (n, d_c) to the logit of the target domain (n, 1).
        source: private encoder of the source domain, to codes (n, d_s).
        salient: private encoder of the target domain, to codes (n, d_s).
        decoder: network from (n, d_c + d_s) to samples, resized to the size of a view.
        weights: weight of each term.
    """

    def __init__(
        self,
        common: nn.Module,
        standardise: nn.Module,
        classifier: nn.Module,
        domain: nn.Module,
        source: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        *,
        weights: DSNWeights | None = None,
    ) -> None:
        super().__init__(common, standardise, classifier)
        self.domain, self.source, self.salient, self.decoder = domain, source, salient, decoder
        self.weights = weights or DSNWeights()

    def advance(self, share: float) -> None:
        """Set the factor of the reversed gradient."""
        self.ramp = ramp(share)

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and s, the private code of the target domain, shape (n, d_s)."""
        return Codes(self.common(x), self.salient(x))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute c on the unit sphere, private codes p, logits of classes and domain, and errors, of both views; copy the labels."""
        x, is_target = torch.cat([one.x, two.x]), torch.cat([one.is_target, two.is_target])
        c, s = self.encode(x)
        # Both private encoders see all samples: a batch need not have both domains, and statistics of normalisation need several samples.
        p = full_precision(torch.where(is_target[:, None], s, self.source(x)))
        z = self.on_sphere(c)
        domain = full_precision(self.domain(reversed_gradient(z, self.ramp)))[:, 0]
        error = scale_invariant_error(self.decoder(torch.cat([z, p], 1)), x)
        return by_view(c=z, p=p, logits=self.logits(z), domain=domain, error=error) | {"label": one.extra[self.labels]}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms."""
        groups = is_target, ~is_target
        difference = [sum_of_products(out[f"c{view}"][group], out[f"p{view}"][group]) for view in (1, 2) for group in groups]
        return super().terms(out, is_target) | {
            "reconstruction": over_views(out[f"error{view}"].mean() for view in (1, 2)),
            "difference": 2 * over_views(difference),
            "similarity": of_domain(out, "domain", is_target),
        }


def scale_invariant_error(decoded: Float[Tensor, "n ..."], x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    """Compute mean(d²) − mean(d)² of the differences d of each sample; images are resized to those of x."""
    if decoded.shape[2:] != x.shape[2:]:
        decoded = interpolate(decoded, x.shape[2:])
    d = (full_precision(decoded) - full_precision(x)).flatten(1)
    return d.var(1, correction=0)


def sum_of_products(c: Float[Tensor, "n d_c"], p: Float[Tensor, "n d_p"]) -> Scalar:
    """Compute the mean over pairs of dimensions of (Σ_i c_ik p_il)² for centred codes of length 1; 0 for fewer than two samples."""
    if len(c) < 2:
        return 0 * (c.sum() + p.sum())
    c, p = (normalize(z - z.mean(0), dim=1) for z in (c, p))
    return (c.T @ p).square().mean()


def make(options: DSNOptions, networks: Networks) -> DSN:
    """Create the method from its options."""
    c, s = options.common_dim, options.salient_dim
    private = networks.encoder(s), networks.encoder(s)
    return DSN(*classifier_parts(c, networks), domain_head(c), *private, networks.decoder(c + s), weights=options.weights)
