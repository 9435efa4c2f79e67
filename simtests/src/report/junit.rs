//! A summary for tools that read JUnit's XML: one test case for all seeds, and one for each kind of failure.
use super::{failure::Kind, summary::Summary};
use std::fmt::Write as _;

impl Summary {
    pub fn to_junit(&self) -> String {
        let of = |kind: Kind| self.failures.values().filter(|group| group.kind == kind).count();
        let runs: Vec<&str> = self.runs.iter().map(String::as_str).collect();
        let name = escape(&runs.join(", "));
        let seconds = self.wall_ns as f64 / 1e9;
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let mut line = |text: String| writeln!(xml, "{text}").expect("a String takes everything");
        let cases = self.failures.len() + 1;
        let (failures, errors) = (of(Kind::Fail), of(Kind::Broken) + of(Kind::Differs));
        let counts = format!(
            "tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{}\" time=\"{seconds:.3}\"",
            of(Kind::Unknown)
        );
        line(format!("<testsuites name=\"etcdsim\" {counts}>"));
        line(format!("  <testsuite name=\"etcdsim {name}\" {counts}>"));
        line("    <properties>".to_string());
        for (what, n) in [
            ("seeds", self.seeds.to_string()),
            ("clean", self.clean().to_string()),
            ("events", self.events.to_string()),
            ("answers judged", self.checked.to_string()),
            ("faults", self.faults().to_string()),
            ("seeds run twice", self.verified.to_string()),
            ("interrupted", self.interrupted.to_string()),
            ("transcript", self.digest.to_string()),
        ] {
            line(format!("      <property name=\"{what}\" value=\"{n}\"/>"));
        }
        line("    </properties>".to_string());
        line(format!(
            "    <testcase classname=\"etcdsim\" name=\"{} of {} seeds are clean\" time=\"{seconds:.3}\"/>",
            self.clean(),
            self.seeds
        ));
        for (fingerprint, group) in &self.failures {
            let (judge, shape, first) = (escape(&group.judge), escape(&group.shape), escape(&group.first));
            let element = match group.kind {
                Kind::Fail => "failure",
                Kind::Broken | Kind::Differs => "error",
                Kind::Unknown => "skipped",
            };
            line(format!(
                "    <testcase classname=\"etcdsim.{judge}\" name=\"{fingerprint} {shape}\" time=\"0\">"
            ));
            let message = format!("{} seeds, the first {:#x}: {shape}", group.seeds, group.first_seed);
            line(format!("      <{element} message=\"{message}\">{first}</{element}>"));
            line("    </testcase>".to_string());
        }
        line("  </testsuite>".to_string());
        line("</testsuites>".to_string());
        xml
    }
}

/// For attributes and text. What XML cannot hold at all becomes a replacement character.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
