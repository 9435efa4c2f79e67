//! Where two runs part: the first event that differs. Whatever differs later is a consequence of it, or of what led to
//! it unseen.
use super::recording::Recording;
use std::fmt;

/// How many lines are shown of what both have, and of what each goes on with.
const BEFORE: usize = 12;
const AFTER: usize = 4;

/// The first difference of two transcripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// So many events are the same.
    pub same: usize,
    /// The last of them.
    pub before: Vec<String>,
    /// How each goes on; empty: it is over.
    pub left: Vec<String>,
    pub right: Vec<String>,
}

/// None: the two are the same.
pub fn diverge(left: &[String], right: &[String]) -> Option<Divergence> {
    let same = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    if same == left.len() && same == right.len() {
        return None;
    }
    let rest = |lines: &[String]| lines[same..].iter().take(AFTER).cloned().collect();
    let before = left[same.saturating_sub(BEFORE)..same].to_vec();
    Some(Divergence { same, before, left: rest(left), right: rest(right) })
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the first {} events are the same; then this run goes on with -, the other with +",
            self.same
        )?;
        for line in &self.before {
            writeln!(f, "  {line}")?;
        }
        for (sign, lines) in [('-', &self.left), ('+', &self.right)] {
            if lines.is_empty() {
                writeln!(f, "{sign} (it is over)")?;
            }
            for line in lines {
                writeln!(f, "{sign} {line}")?;
            }
        }
        Ok(())
    }
}

/// A run's transcript, line by line.
pub fn lines(recording: &Recording) -> Vec<String> {
    recording.text().lines().map(str::to_owned).collect()
}

/// The transcript in a file: a recording, a page, or what `replay --trace` prints.
pub fn lines_of_file(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('{') {
        return Recording::parse(text).map(|recording| lines(&recording));
    }
    if text.trim_start().starts_with("<!doctype html>") {
        return recording_of_page(text).map(|recording| lines(&recording));
    }
    let found: Vec<String> = text.lines().filter(|line| is_event(line)).map(str::to_owned).collect();
    if found.is_empty() { Err("there is no event in it".into()) } else { Ok(found) }
}

/// The recording that a page was made of.
pub fn recording_of_page(page: &str) -> Result<Recording, String> {
    let from = "<script type=\"application/json\" id=\"data\">";
    let json = page.split_once(from).and_then(|(_, rest)| rest.split_once("</script>"));
    let (json, _) = json.ok_or("this page holds no recording")?;
    let mut data: serde_json::Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Recording::parse(&data["recording"].take().to_string())
}

/// Whether a line begins with a time: seconds, a point and nine digits.
fn is_event(line: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let time = line.trim_start().split(' ').next().and_then(|time| time.split_once('.'));
    time.is_some_and(|(seconds, nanos)| digits(seconds) && digits(nanos) && nanos.len() == 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(words: &str) -> Vec<String> {
        words.split(' ').map(|word| format!("    0.000000000 {word}")).collect()
    }

    #[test]
    fn the_first_difference_is_found() {
        let (left, right) = (transcript("a b c d"), transcript("a b x d e"));
        let found = diverge(&left, &right).expect("they differ");
        assert_eq!((found.same, &found.before), (2, &transcript("a b")));
        assert_eq!((&found.left, &found.right), (&transcript("c d"), &transcript("x d e")));
        assert!(found.to_string().contains("\n-     0.000000000 c\n"));
        assert_eq!(diverge(&left, &left), None);
    }

    #[test]
    fn a_run_that_stops_early_differs_where_it_stops() {
        let found = diverge(&transcript("a b"), &transcript("a b c")).expect("they differ");
        assert_eq!((found.same, found.left.len(), found.right.len()), (2, 0, 1));
        assert!(found.to_string().contains("- (it is over)"));
    }

    #[test]
    fn only_the_events_of_a_printed_run_count() {
        let printed = "seed      0x1\n    0.000000000 m1 boots, life 1\nnet: message lost   3\n   12.123456789 m1 dies\n\
                       12 events, 3.5 simulated seconds\n";
        let lines = lines_of_file(printed).expect("there are events");
        assert_eq!(lines, ["    0.000000000 m1 boots, life 1", "   12.123456789 m1 dies"]);
        assert!(lines_of_file("nothing of the kind").is_err());
        assert!(lines_of_file("{\"format\":1}").is_err());
    }
}
