//! What the programs said, as one table: areas down, clients across.

use std::collections::BTreeMap;
use std::path::Path;

use super::calls;
use super::language::Language;
use super::process::{Ended, last_words};
use crate::Failure;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Ok,
    NotBuilt,
    Skip,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::NotBuilt => "not built",
            Verdict::Skip => "skip",
            Verdict::Fail => "FAIL",
        }
    }
}

#[derive(PartialEq, Eq, Debug)]
struct Line {
    area: String,
    verdict: Verdict,
    why: String,
}

/// What one program said, in its order.
pub struct Outcome(Vec<Line>);

impl Outcome {
    /// Reads `ok AREA`, `skip AREA: why`, `not built AREA: why` and `FAIL AREA: why`; anything else is talk.
    pub fn parse(said: &str, ended: &Ended, log: &Path) -> Outcome {
        let mut outcome = Outcome(said.lines().filter_map(line).collect());
        let failed = outcome.0.iter().any(|line| line.verdict == Verdict::Fail);
        // A crash may come after areas that went well, and a program that asks nothing proves nothing.
        if !failed && (!ended.well() || outcome.0.is_empty()) {
            outcome.fail("program", format!("it {}: {}", ended.tell(), last_words(log)));
        }
        outcome
    }

    /// Of a program that could not be built.
    pub fn broken(why: String) -> Outcome {
        let mut outcome = Outcome(Vec::new());
        outcome.fail("build", why);
        outcome
    }

    pub fn fail(&mut self, area: &str, why: String) {
        self.0.push(Line { area: area.to_owned(), verdict: Verdict::Fail, why });
    }
}

fn line(text: &str) -> Option<Line> {
    let verdicts = [Verdict::Ok, Verdict::NotBuilt, Verdict::Skip, Verdict::Fail];
    let (verdict, rest) =
        verdicts.into_iter().find_map(|it| Some((it, text.strip_prefix(it.word())?.strip_prefix(' ')?)))?;
    let (area, why) = rest.split_once(": ").unwrap_or((rest, ""));
    Some(Line { area: area.to_owned(), verdict, why: why.to_owned() })
}

pub struct Report {
    /// Whether the server is the one that all is measured by: there everything must be built.
    strict: bool,
    clients: Vec<(&'static str, Outcome)>,
    calls: Vec<(&'static str, BTreeMap<String, u64>)>,
    missing: Vec<String>,
    missing_is_failure: bool,
}

impl Report {
    pub fn new(strict: bool) -> Report {
        Report {
            strict,
            clients: Vec::new(),
            calls: Vec::new(),
            missing: Vec::new(),
            missing_is_failure: false,
        }
    }

    pub fn add(&mut self, client: &'static str, mut outcome: Outcome) {
        for line in &mut outcome.0 {
            if self.strict && line.verdict == Verdict::NotBuilt {
                line.verdict = Verdict::Fail;
            }
            if line.verdict == Verdict::Fail {
                println!("{client}: FAIL {}: {}", line.area, line.why);
            }
        }
        self.clients.push((client, outcome));
    }

    /// What the server counted while this client used it.
    pub fn called(&mut self, client: &'static str, calls: BTreeMap<String, u64>) {
        self.calls.push((client, calls));
    }

    /// A language is not run, and why.
    pub fn missing(&mut self, language: Language, why: &str, allowed: bool) {
        let left_out = if allowed { "left out" } else { "not run" };
        self.missing.push(format!("{} is {left_out}: {why}", language.name()));
        self.missing_is_failure |= !allowed;
    }

    /// Prints the table and what is behind its cells; fails if a cell does.
    pub fn print(&self) -> Result<(), Failure> {
        if !self.clients.is_empty() {
            println!("\n{}", self.table());
        }
        if !self.calls.is_empty() {
            println!("{}\n", calls::table(&self.calls));
        }
        for (verdict, title) in [(Verdict::NotBuilt, "not built"), (Verdict::Skip, "skip")] {
            let mut reasons: Vec<&str> = self.lines(verdict).map(|line| line.why.as_str()).collect();
            reasons.sort_unstable();
            reasons.dedup();
            for reason in reasons {
                println!("{title}: {reason}");
            }
        }
        for line in &self.missing {
            println!("clients: {line}");
        }
        let [ok, failed, unbuilt, skipped] =
            [Verdict::Ok, Verdict::Fail, Verdict::NotBuilt, Verdict::Skip].map(|it| self.lines(it).count());
        let summary =
            format!("clients: {ok} areas ok, {failed} failed, {unbuilt} not built, {skipped} skipped");
        if failed > 0 || self.missing_is_failure {
            return Err(Failure::new(summary));
        }
        println!("{summary}");
        Ok(())
    }

    fn lines(&self, verdict: Verdict) -> impl Iterator<Item = &Line> {
        self.clients.iter().flat_map(|(_, outcome)| &outcome.0).filter(move |line| line.verdict == verdict)
    }

    fn table(&self) -> String {
        let mut areas: Vec<&str> = Vec::new();
        for line in self.clients.iter().flat_map(|(_, outcome)| &outcome.0) {
            if !areas.contains(&line.area.as_str()) {
                areas.push(&line.area);
            }
        }
        let width = areas.iter().map(|area| area.len()).max().unwrap_or(0).max("AREA".len());
        let wide = |client: &str| client.len().max("not built".len());
        let row = |first: &str, cells: &mut dyn Iterator<Item = (usize, &str)>| {
            let cells: String = cells.map(|(width, cell)| format!("  {cell:width$}")).collect();
            format!("{first:width$}{cells}").trim_end().to_owned()
        };
        let heads = &mut self.clients.iter().map(|(client, _)| (wide(client), *client));
        let mut rows = vec![row("AREA", heads)];
        for area in areas {
            let cells = &mut self.clients.iter().map(|(client, outcome)| {
                let line = outcome.0.iter().find(|line| line.area == area);
                (wide(client), line.map_or("", |line| line.verdict.word()))
            });
            rows.push(row(area, cells));
        }
        rows.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests;
