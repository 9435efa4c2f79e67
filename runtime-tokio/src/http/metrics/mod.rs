//! `/metrics`: what this member counts, under etcd's names, as Prometheus reads it. What other rooms count as they work
//! is put together here when somebody asks. Source: contract-metrics.
mod family;
mod idle;
mod member;
mod process;
mod snapshots;

use super::answer::{self, Answer};
use crate::{Tokio, grpc::Services, net::Net};
use detcd_driver::{Level, Node};
use family::Families;
use http::{HeaderValue, StatusCode, header};
pub use process::open_files_max;
use prometheus::{Encoder as _, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// As etcd names the format.
const TEXT_0_0_4: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that can be asked for.
pub struct Metrics {
    node: Node<Tokio>,
    net: Net,
    registry: Registry,
    scrapes: IntCounterVec,
    scraping: IntGauge,
    checks: IntCounterVec,
    checked: IntGaugeVec,
    /// In seconds since the Unix epoch.
    started: f64,
}

impl Metrics {
    /// Errors name a metric that stands twice.
    pub fn new(services: &Services, net: Net) -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        services.calls().register(&registry)?;
        let scrapes = IntCounterVec::new(
            Opts::new("promhttp_metric_handler_requests_total", "Answers to scrapes by their HTTP status."),
            &["code"],
        )?;
        for code in ["200", "500", "503"] {
            scrapes.with_label_values(&[code]);
        }
        let scraping =
            IntGauge::new("promhttp_metric_handler_requests_in_flight", "Scrapes being answered.")?;
        let checks = IntCounterVec::new(
            Opts::new("etcd_server_healthchecks_total", "Single health checks by what came of them."),
            &["name", "status", "type"],
        )?;
        let checked = IntGaugeVec::new(
            Opts::new("etcd_server_healthcheck", "1 if the last run of a single health check went well."),
            &["name", "type"],
        )?;
        registry.register(Box::new(scrapes.clone()))?;
        registry.register(Box::new(scraping.clone()))?;
        registry.register(Box::new(checks.clone()))?;
        registry.register(Box::new(checked.clone()))?;
        let node = services.node().clone();
        Ok(Metrics { node, net, registry, scrapes, scraping, checks, checked, started: process::started() })
    }

    /// One run of a check of `/livez` or `/readyz`.
    pub fn checked(&self, page: &str, name: &str, is_ok: bool) {
        let status = if is_ok { "success" } else { "error" };
        self.checks.with_label_values(&[name, status, page]).inc();
        self.checked.with_label_values(&[name, page]).set(i64::from(is_ok));
    }

    pub fn page(&self) -> Answer {
        self.scraping.inc();
        let text = self.text();
        self.scraping.dec();
        let answer = match text {
            Ok(text) => {
                let mut answer = answer::plain(StatusCode::OK, text);
                let headers = answer.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT_0_0_4));
                headers.remove(header::X_CONTENT_TYPE_OPTIONS);
                answer
            }
            Err(error) => {
                crate::runtime::log(Level::Error, format_args!("metrics cannot be written: {error}"));
                answer::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
        };
        self.scrapes.with_label_values(&[answer.status().as_str()]).inc();
        answer
    }

    fn text(&self) -> Result<String, prometheus::Error> {
        let mut families = Families::default();
        member::add(&mut families, &self.node);
        member::add_links(&mut families, &self.node, &self.net);
        snapshots::add(&mut families, self.node.meters());
        process::add(&mut families, self.started);
        idle::add(&mut families);
        let mut families = families.0;
        families.extend(self.registry.gather());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}
