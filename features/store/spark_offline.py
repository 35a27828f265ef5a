"""Feast's Spark store with every feature's name quoted, as a name with ``-`` or ``é`` in it needs.

Feast writes names into Spark's SQL as they are, where ``interest__city-trip`` is a subtraction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    SparkOfflineStore,
    SparkOfflineStoreConfig,
)

if TYPE_CHECKING:
    from feast import FeatureView
    from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkRetrievalJob


class QuotingSparkOfflineStoreConfig(SparkOfflineStoreConfig):  # type: ignore[misc]  # untyped Feast
    """As Feast's; found by Feast under this name."""


class QuotingSparkOfflineStore(SparkOfflineStore):  # type: ignore[misc]  # untyped Feast
    """The three readings that Pushwise uses. The answers of each are computed when asked for."""

    @staticmethod
    def get_historical_features(
        config: Any, feature_views: list[FeatureView], *others: Any, **named: Any
    ) -> SparkRetrievalJob:
        job = SparkOfflineStore.get_historical_features(config, feature_views, *others, **named)
        return _quoted(job, (field.name for view in feature_views for field in view.features))

    @staticmethod
    def pull_latest_from_table_or_query(
        config: Any, data_source: Any, join_key_columns: list[str],
        feature_name_columns: list[str], *others: Any, **named: Any,
    ) -> SparkRetrievalJob:  # fmt: skip
        job = SparkOfflineStore.pull_latest_from_table_or_query(
            config, data_source, join_key_columns, feature_name_columns, *others, **named
        )
        return _quoted(job, feature_name_columns)

    @staticmethod
    def pull_all_from_table_or_query(
        config: Any, data_source: Any, join_key_columns: list[str],
        feature_name_columns: list[str], *others: Any, **named: Any,
    ) -> SparkRetrievalJob:  # fmt: skip
        job = SparkOfflineStore.pull_all_from_table_or_query(
            config, data_source, join_key_columns, feature_name_columns, *others, **named
        )
        return _quoted(job, feature_name_columns)


def _quoted(job: SparkRetrievalJob, names: Iterable[str]) -> SparkRetrievalJob:
    unplain = {name for name in names if re.search(r"[^A-Za-z0-9_]", name)}
    if unplain:
        longest_first = sorted(map(re.escape, unplain), key=len, reverse=True)
        job.query = re.sub(rf"(?<![\w-])({'|'.join(longest_first)})(?![\w-])", r"`\1`", job.query)
    # Feast has quoted names taken for patterns; its own queries quote none that is one.
    job.spark_session.conf.set("spark.sql.parser.quotedRegexColumnNames", "false")
    return job
