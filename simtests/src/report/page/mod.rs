//! One run as one HTML file: no network, no libraries, everything inside, so that it can be mailed, attached to a bug
//! and opened in ten years.
//!
//! The file is a template ([`page.html`]) with a style sheet, two scripts and the data as JSON. What has to be worked
//! out (which message arrived where, who led when, where operations took effect) is worked out here, where it can be
//! tested; the scripts only draw.
use super::{
    derive::{self, Flight, Track},
    recording::Recording,
};
use crate::judge::READER;
use serde::Serialize;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const DIAGRAM: &str = include_str!("diagram.js");
const SCRIPT: &str = include_str!("page.js");

#[derive(Serialize)]
struct Data<'a> {
    recording: &'a Recording,
    /// What each event says, without its time.
    lines: Vec<String>,
    flights: Vec<Flight>,
    tracks: Vec<Track>,
    reader: u32,
}

/// The whole file.
pub fn page(recording: &Recording) -> String {
    let data = Data {
        recording,
        lines: recording.events.iter().map(|kept| kept.event.to_string()).collect(),
        flights: derive::flights(&recording.events),
        tracks: derive::tracks(recording),
        reader: READER,
    };
    let json = serde_json::to_string(&data).expect("a recording holds nothing that JSON cannot");
    fill(&[
        ("title", &escaped(&format!("{} {}", recording.verdict.word, recording.title))),
        ("style", STYLE),
        ("data", &inert(&json)),
        ("diagram", DIAGRAM),
        ("script", SCRIPT),
    ])
}

/// Puts each part where `{{name}}` stands. In one pass: nothing that was filled in is looked at again.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = TEMPLATE;
    for (name, part) in parts {
        let hole = format!("{{{{{name}}}}}");
        let (before, after) =
            rest.split_once(&hole).expect("the template has a hole for every part, in order");
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page + rest
}

/// JSON that cannot end the script element it stands in, nor begin a comment there.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use detcd_runtime_sim::{Event, Recorded};

    const NASTY: &str = "</script><script>alert(1)</script><!-- {{script}} \u{2028} \" & '";

    fn nasty() -> Recording {
        let event = Event::Client { client: 0, line: NASTY.to_owned() };
        Recording {
            format: crate::report::recording::FORMAT,
            title: NASTY.into(),
            members: 1,
            events: vec![Recorded { at: 5, event }],
            ..Recording::default()
        }
    }

    #[test]
    fn no_value_can_leave_its_place() {
        let page = page(&nasty());
        // The template's own: one element of data and one of code.
        assert_eq!(page.matches("</script>").count(), 2);
        assert_eq!(page.matches("<script").count(), 2);
        assert!(!page.contains("<!-- {{"));
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;"));
        assert_eq!(page.matches(SCRIPT).count(), 1);
    }

    #[test]
    fn the_data_can_be_read_back_from_the_page() {
        let recording = nasty();
        let back = crate::report::diff::recording_of_page(&page(&recording));
        assert_eq!(back.expect("it is there").events, recording.events);
    }

    #[test]
    fn the_page_needs_no_network() {
        let page = page(&nasty());
        for word in ["http:", "https:", "src=", "@import", "url(", "fetch("] {
            assert!(!page.contains(word), "the page mentions {word}");
        }
    }
}
