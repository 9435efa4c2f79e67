//! Families of metrics from values that are at hand.
use detcd_driver::meters::Histogram;
use prometheus::proto::{Bucket, Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Summary};

#[derive(Default)]
pub struct Families(pub Vec<MetricFamily>);

pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Families {
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [(&[][..], value)]);
    }

    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(&[][..], value)]);
    }

    /// A family without a member is left out.
    pub fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        let metrics = values.into_iter().map(|(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = labelled(labels);
            metric.set_gauge(gauge);
            metric
        });
        self.add(name, help, MetricType::GAUGE, metrics.collect());
    }

    pub fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) {
        let metrics = values.into_iter().map(|(labels, value)| counted(labels, value as f64));
        self.add(name, help, MetricType::COUNTER, metrics.collect());
    }

    /// A counter that goes up by less than one.
    pub fn fraction_counter(&mut self, name: &str, help: &str, value: f64) {
        self.add(name, help, MetricType::COUNTER, vec![counted(&[], value)]);
    }

    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.histograms(name, help, [(&[][..], histogram)]);
    }

    pub fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, &'a Histogram)>,
    ) {
        let metrics = values
            .into_iter()
            .map(|(labels, histogram)| bucketed(labels, &histogram.buckets(), histogram.sum_seconds()));
        self.add(name, help, MetricType::HISTOGRAM, metrics.collect());
    }

    /// Upper bound and number in each bucket; what is longer than all bounds stands behind an infinite one.
    pub fn buckets(&mut self, name: &str, help: &str, buckets: &[(f64, u64)], sum: f64) {
        self.add(name, help, MetricType::HISTOGRAM, vec![bucketed(&[], buckets, sum)]);
    }

    /// A summary of nothing.
    pub fn empty_summary(&mut self, name: &str, help: &str) {
        let mut metric = labelled(&[]);
        metric.set_summary(Summary::default());
        self.add(name, help, MetricType::SUMMARY, vec![metric]);
    }

    fn add(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_string());
        family.set_help(help.to_string());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_string());
        pair.set_value(value.to_string());
        pair
    });
    Metric::from_label(pairs.collect())
}

fn counted(labels: Labels<'_>, value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = labelled(labels);
    metric.set_counter(counter);
    metric
}

fn bucketed(labels: Labels<'_>, buckets: &[(f64, u64)], sum: f64) -> Metric {
    let mut so_far = 0;
    let mut bounded = Vec::new();
    for (bound, number) in buckets {
        so_far += number;
        // The encoder adds the infinite one.
        if bound.is_finite() {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(so_far);
            bounded.push(bucket);
        }
    }
    let mut histogram = prometheus::proto::Histogram::default();
    histogram.set_sample_count(so_far);
    histogram.set_sample_sum(sum);
    histogram.set_bucket(bounded);
    let mut metric = labelled(labels);
    metric.set_histogram(histogram);
    metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use detcd_core::Span;
    use prometheus::{Encoder as _, TextEncoder};

    #[test]
    fn values_become_prometheus_text() {
        let histogram = Histogram::new(Span::millis(1), 2);
        histogram.observe(Span::millis(2));
        histogram.observe(Span::millis(9));
        let mut families = Families::default();
        families.gauge("a", "The first.", 2.0);
        families.counters("b", "By color.", [(&[("color", "red")][..], 7)]);
        families.counters("none", "Nobody.", []);
        families.histogram("c", "How long.", &histogram);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families.0, &mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "# HELP a The first.\n# TYPE a gauge\na 2\n\
             # HELP b By color.\n# TYPE b counter\nb{color=\"red\"} 7\n\
             # HELP c How long.\n# TYPE c histogram\n\
             c_bucket{le=\"0.001\"} 0\nc_bucket{le=\"0.002\"} 1\nc_bucket{le=\"+Inf\"} 2\nc_sum 0.011\nc_count 2\n"
        );
    }
}
