//! Families of metrics, each with its series.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// What a scrape is told.
#[derive(Default)]
pub(super) struct Page {
    pub(super) families: Vec<MetricFamily>,
}

impl Page {
    pub(super) fn counter<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        series: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) {
        let metrics = series.into_iter().map(|(values, count)| {
            let mut counter = Counter::default();
            counter.set_value(count as f64);
            let mut metric = Metric::from_label(pairs(labels, values));
            metric.set_counter(counter);
            metric
        });
        self.family(name, help, MetricType::COUNTER, metrics.collect());
    }

    pub(super) fn gauge<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        series: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) {
        let metrics = series.into_iter().map(|(values, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = Metric::from_label(pairs(labels, values));
            metric.set_gauge(gauge);
            metric
        });
        self.family(name, help, MetricType::GAUGE, metrics.collect());
    }

    pub(super) fn one(&mut self, name: &str, help: &str, count: u64) {
        self.counter(name, help, NONE, [(NONE, count)]);
    }

    pub(super) fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        metrics: Vec<Metric>,
    ) {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.families.push(family);
    }
}

fn pairs<const N: usize>(names: [&str; N], values: [&str; N]) -> Vec<LabelPair> {
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    names.into_iter().zip(values).map(pair).collect()
}

/// No labels.
pub(super) const NONE: [&str; 0] = [];
