"""The response model on logs whose effects are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decisions.catalogue import Offer
from experiments.scores import MeanEffect
from models.artifact import ArtifactError
from models.effect import Weights
from models.estimator import load_estimator
from models.response import ResponseModel
from tests.training.simulated import NAMES, OFFERS, Simulated, simulated
from training.errors import TrainingError
from training.learning import Learning
from training.push_log import NO_SEND, PushLog
from training.response_fit import FittedResponse, fit_response
from training.uplift import shrunk


@pytest.fixture(scope="module")
def world() -> Simulated:
    return simulated(30_000, seed=1)


@pytest.fixture(scope="module")
def fitted(world: Simulated) -> FittedResponse:
    return fit_response(world.log, world.values, NAMES, seed=1)


def test_those_whom_the_push_changes_stand_above_those_who_buy_anyway(
    world: Simulated, fitted: FittedResponse
) -> None:
    estimates = fitted.model.estimate(world.values, NAMES, OFFERS)
    uplift = estimates.p_if_sent[:, 2] - estimates.p_if_not
    truth = world.uplift[:, 2]
    best_fifth = np.argsort(-uplift)[: len(uplift) // 5]
    likeliest_fifth = np.argsort(-estimates.p_if_not)[: len(uplift) // 5]
    assert truth[best_fifth].mean() > 2 * truth.mean()
    assert truth[likeliest_fifth].mean() < truth.mean()


def test_mean_effects_are_found_within_their_errors(
    world: Simulated, fitted: FittedResponse
) -> None:
    for effect, truth in zip(fitted.effects, world.uplift.mean(axis=0), strict=True):
        assert abs(effect.mean - truth) < 4 * effect.error


def test_the_level_without_a_send_is_calibrated(world: Simulated, fitted: FittedResponse) -> None:
    estimates = fitted.model.estimate(world.values, NAMES, OFFERS)
    assert estimates.p_if_not.mean() == pytest.approx(world.p_if_not.mean(), rel=0.1)
    assert np.corrcoef(estimates.p_if_not, world.p_if_not)[0, 1] > 0.9


def test_coupons_and_margins_come_back_in_money(fitted: FittedResponse, world: Simulated) -> None:
    estimates = fitted.model.estimate(world.values, NAMES, OFFERS)
    assert estimates.margin.mean() == pytest.approx(40.0, rel=0.02)
    assert estimates.revenue.mean() == pytest.approx(120.0, rel=0.02)
    given = (estimates.p_redeem * estimates.coupon).mean(axis=0)
    truth = [world.log.coupon[world.log.offer == j].mean() for j in range(3)]
    assert given.mean() == pytest.approx(np.mean(truth), rel=0.15)


def test_an_offer_never_sent_is_estimated_from_the_others_and_says_so(
    fitted: FittedResponse, world: Simulated
) -> None:
    new = Offer("sea15", "percent_off", 15, categories=("sea",))
    estimates = fitted.model.estimate(world.values[:100], NAMES, [OFFERS[2], new])
    assert estimates.evidence == ("modelled", "prior")
    assert np.isfinite(estimates.p_if_sent).all()


def test_a_candidate_that_was_never_sent_is_no_evidence() -> None:
    world = simulated(5_000, seed=0)
    log = replace(world.log, offer=np.where(world.log.offer == 2, 1, world.log.offer))
    fitted = fit_response(log, world.values, NAMES, seed=0)
    estimates = fitted.model.estimate(world.values[:10], NAMES, OFFERS)
    assert estimates.evidence == (fitted.model.grade, fitted.model.grade, "prior")
    assert fitted.effects[2].error == float("inf")
    assert np.isfinite(estimates.p_if_sent).all()


def test_without_effects_members_are_not_told_apart() -> None:
    for seed in range(3):
        world = simulated(10_000, seed, strength=0.0)
        fitted = fit_response(world.log, world.values, NAMES, seed)
        estimates = fitted.model.estimate(world.values, NAMES, OFFERS)
        uplift = estimates.p_if_sent - estimates.p_if_not[:, None]
        assert np.abs(uplift).mean() < 0.01
        if fitted.gate.personal == 0:
            assert fitted.gate.verdict == "no reliable heterogeneity"
            assert np.ptp(uplift, axis=0) == pytest.approx(0.0, abs=1e-12)
            # Or those who never use an offer, as they never buy, would be the best to send it to.
            assert np.ptp(estimates.p_redeem, axis=0) == pytest.approx(0.0, abs=1e-12)


def test_one_effect_for_all_is_a_randomised_average_that_keeps_its_word() -> None:
    world = simulated(12_000, seed=1, strength=0.0)
    rng = np.random.default_rng(2)
    sent = world.log.offer != NO_SEND
    chance = world.p_if_not + np.where(sent, np.array([0.02, 0.03, 0.04])[world.log.offer], 0.0)
    converted = rng.random(len(sent)) < chance
    worth = rng.lognormal(np.log(40), 0.6, len(sent))  # its coefficient of variation is .658
    none = np.zeros(len(sent))
    log = replace(
        world.log,
        converted=converted,
        redeemed=none > 0,
        coupon=none,
        margin=np.where(converted, worth, 0.0),
        revenue=np.where(converted, 3 * worth, 0.0),
    )
    fitted = fit_response(log, world.values, NAMES, seed=1)
    told = fitted.model.estimate(world.values, NAMES, OFFERS)
    assert told.evidence == ("randomised",) * 3
    assert fitted.model.reliability is not None
    slope, error = fitted.model.reliability.slope, fitted.model.reliability.error
    assert (slope, error) == (fitted.slope.mean, fitted.slope.error)
    assert abs(slope - 1) < 3 * error < 1
    assert (told.spread / told.margin).mean() == pytest.approx(0.658, abs=0.1)


def test_the_same_log_and_seed_give_the_same_model(world: Simulated, tmp_path: Path) -> None:
    small = simulated(4_000, seed=3)
    for name in ("one", "two"):
        fit_response(small.log, small.values, NAMES, seed=5).model.save(tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_a_saved_model_estimates_as_before(
    world: Simulated, fitted: FittedResponse, tmp_path: Path
) -> None:
    fitted.model.save(tmp_path)
    again = ResponseModel.load(tmp_path).estimate(world.values[:50], NAMES, OFFERS)
    before = fitted.model.estimate(world.values[:50], NAMES, OFFERS)
    assert (again.p_if_sent == before.p_if_sent).all()
    assert (again.coupon == before.coupon).all()
    (tmp_path / "joint.txt").unlink()
    with pytest.raises(ArtifactError, match="not a readable response model"):
        ResponseModel.load(tmp_path)


def test_columns_are_read_by_name(world: Simulated, fitted: FittedResponse) -> None:
    order = np.array([5, 3, 1, 0, 2, 4])
    shuffled = fitted.model.estimate(
        world.values[:20][:, order], tuple(NAMES[i] for i in order), OFFERS
    )
    plain = fitted.model.estimate(world.values[:20], NAMES, OFFERS)
    assert (shuffled.p_if_sent == plain.p_if_sent).all()


def test_members_alone_and_in_company_get_the_same_estimates(
    world: Simulated, fitted: FittedResponse
) -> None:
    whole = fitted.model.estimate(world.values[:300], NAMES, OFFERS)
    alone = fitted.model.estimate(world.values[299:300], NAMES, OFFERS)
    assert alone.p_if_sent[0] == pytest.approx(whole.p_if_sent[299], abs=1e-12)


def test_offers_alone_and_among_others_get_the_same_estimates(
    world: Simulated, fitted: FittedResponse
) -> None:
    every = Weights(joint=0.4, gains=0.3, ridge=0.2, level=0.1, elsewhere=0.1)
    effect = replace(fitted.model.effect, weights=every, personal=1.0)
    model = replace(fitted.model, effect=effect)
    offers = (*OFFERS, Offer("all", "content"), Offer("sea", "content", categories=("sea",)))
    whole = model.estimate(world.values[:500], NAMES, offers)
    for j, offer in enumerate(offers):
        alone = model.estimate(world.values[:500], NAMES, [offer])
        np.testing.assert_allclose(alone.p_if_sent[:, 0], whole.p_if_sent[:, j], atol=1e-12)
    assert np.ptp(whole.p_if_sent - whole.p_if_not[:, None], axis=0).min() > 0


def test_a_model_predicts_with_as_many_threads_as_it_was_loaded_for(
    fitted: FittedResponse, tmp_path: Path
) -> None:
    fitted.model.save(tmp_path / "response")
    for threads in (1, 2, None):
        found = load_estimator(tmp_path, threads)
        assert isinstance(found, ResponseModel)
        assert found.effect.joint.trees.threads == threads
        assert found.effect.gains.threads == threads


def test_a_member_without_features_still_gets_a_finite_estimate(fitted: FittedResponse) -> None:
    nothing = np.full((1, len(NAMES)), np.nan, dtype=np.float32)
    assert np.isfinite(fitted.model.estimate(nothing, NAMES, OFFERS).p_if_sent).all()


def test_too_few_conversions_are_refused_with_their_number() -> None:
    world = simulated(500, seed=0)
    none = replace(world.log, converted=np.zeros(500, dtype=bool))
    with pytest.raises(TrainingError, match="0 conversions in 500 past decisions"):
        fit_response(none, world.values, NAMES, seed=0)


def test_a_log_where_no_offer_sent_converts_is_refused() -> None:
    world = simulated(3_000, seed=0)
    silent = replace(world.log, converted=world.log.converted & (world.log.offer == NO_SEND))
    with pytest.raises(TrainingError, match="0 past conversions of members who were sent an offer"):
        fit_response(silent, world.values, NAMES, seed=0)


def test_redemptions_that_never_happen_without_a_push_are_all_effect() -> None:
    world = simulated(3_000, seed=0)
    redeemed = replace(world.log, converted=world.log.converted & (world.log.offer != NO_SEND))
    fitted = fit_response(redeemed, world.values, NAMES, seed=0)
    estimates = fitted.model.estimate(world.values, NAMES, OFFERS)
    assert estimates.p_if_not.max() < 0.01
    rate = redeemed.converted[redeemed.offer != NO_SEND].mean()
    assert estimates.p_if_sent.mean() == pytest.approx(rate, rel=0.15)


def test_a_member_never_stands_on_both_sides_of_a_fold() -> None:
    world = simulated(3_000, seed=0, repeats=5)
    learning = Learning.of(world.log, world.values, NAMES, seed=0)
    for member in np.unique(learning.member):
        assert len(np.unique(learning.fold[learning.member == member])) == 1


def test_uncertain_effects_move_to_the_common_one() -> None:
    effects = [MeanEffect(0.00, 0.001), MeanEffect(0.02, 0.001), MeanEffect(0.9, 10.0)]
    moved, common = shrunk(effects)
    assert moved[0] == pytest.approx(0.0, abs=0.001)
    assert moved[1] == pytest.approx(0.02, abs=0.001)
    assert moved[2] == pytest.approx(common, abs=0.001)


def test_an_offer_whose_outcome_never_varies_does_not_swallow_the_others() -> None:
    effects = [MeanEffect(0.5, 0.01), MeanEffect(0.6, 0.01), MeanEffect(2e-15, 1e-15)]
    moved, _ = shrunk(effects)
    assert moved == pytest.approx([0.5, 0.6, 0.0], abs=0.01)


def test_means_that_chance_could_explain_move_together_but_keep_their_order() -> None:
    moved, _ = shrunk([MeanEffect(0.010, 0.01), MeanEffect(0.012, 0.01), MeanEffect(0.011, 0.01)])
    assert moved[0] < moved[2] < moved[1]
    assert moved[1] - moved[0] < 0.001


def test_without_personal_differences_the_best_single_offer_is_chosen(world: Simulated) -> None:
    unknown = np.full_like(world.values, np.nan)
    fitted = fit_response(world.log, unknown, NAMES, seed=1)
    assert fitted.gate.personal == 0
    estimates = fitted.model.estimate(unknown[:1], NAMES, OFFERS)
    best = int(np.argmax([effect.mean for effect in fitted.effects]))
    assert int(estimates.p_if_sent[0].argmax()) == best


def test_conversions_at_a_loss_do_not_raise_the_margin_of_the_others(world: Simulated) -> None:
    lost = world.log.converted & (np.arange(len(world.log)) % 3 == 0)
    log = replace(world.log, margin=np.where(lost, -60.0, world.log.margin))
    found = fit_response(log, world.values, NAMES, seed=1).model
    converted = np.flatnonzero(log.converted)
    whole = (log.margin + log.coupon)[converted].mean()
    estimates = found.estimate(world.values[converted], NAMES, OFFERS)
    assert estimates.margin.mean() == pytest.approx(whole, rel=0.1)


def test_use_of_an_offer_tells_whom_it_persuades() -> None:
    """Where only those use a coupon whom it persuaded, its use is the effect."""
    rng = np.random.default_rng(4)
    world = simulated(30_000, seed=4)
    sent = world.log.offer >= 0
    own = np.where(sent, world.uplift[np.arange(len(sent)), world.log.offer], 0.0)
    persuaded = rng.random(len(sent)) < own
    bought = rng.random(len(sent)) < world.p_if_not
    told = replace(world.log, converted=bought | persuaded, redeemed=persuaded)
    silent = replace(told, redeemed=np.zeros(len(sent), dtype=bool))

    def error(log: PushLog) -> float:
        estimates = fit_response(log, world.values, NAMES, seed=4).model.estimate(
            world.values, NAMES, OFFERS
        )
        uplift = estimates.p_if_sent - estimates.p_if_not[:, None]
        return float(((uplift - world.uplift) ** 2).mean())

    assert error(told) < error(silent)
