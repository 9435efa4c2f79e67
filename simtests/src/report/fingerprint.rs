//! Fingerprints: what two failures have in common if they are the same bug.
//!
//! A failure's text names members, keys, revisions and hashes, and says particulars in brackets; those differ from seed
//! to seed. Without them it says which rule was broken and where, and a thousand seeds of one bug say it in the same words.
use detcd_runtime_sim::transcript::Stir;

/// Longest shape, in characters: what comes later in a line is detail.
const SHAPE_MAX: usize = 160;

/// A failure's first line without numbers, hashes, names of members, and without what is quoted or in brackets.
pub fn shape(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut shape = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let inside = &rest[1..];
            let end = inside.find('"').map_or(rest.len(), |end| end + 2);
            shape.push_str("\"…\"");
            rest = &rest[end..];
        } else if first == '(' {
            shape.push_str("(…)");
            rest = behind_bracket(rest);
        } else if first.is_alphanumeric() {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            shape.push_str(&word(&rest[..end]));
            rest = &rest[end..];
        } else {
            // A hash sign before a number is the number's.
            if first != '#' {
                shape.push(first);
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    collapse(&shape).chars().take(SHAPE_MAX).collect()
}

/// A name for the kind of failure, short enough to be spoken.
pub fn fingerprint(judge: &str, shape: &str) -> String {
    format!("{:08x}", Stir::of(format!("{judge}: {shape}").as_bytes()) as u32)
}

/// What stands behind the bracket that opens here.
fn behind_bracket(text: &str) -> &str {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

fn word(word: &str) -> String {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_hex = word.strip_prefix("0x").unwrap_or(word).chars().all(|c| c.is_ascii_hexdigit());
    if digits > 0 && is_hex {
        return "#".to_string();
    }
    let mut out = String::new();
    for c in word.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

/// A list of any length becomes a list of one.
fn collapse(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let same =
            |last: &&str| word.contains('#') && last.trim_end_matches(',') == word.trim_end_matches(',');
        if words.last().is_some_and(same) {
            words.pop();
        }
        words.push(word);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bug_has_the_same_shape_in_every_seed() {
        for (one, two) in [
            ("m2 committed 17 at term 3, m1 has 16", "m1 committed 9 at term 12, m3 has 10"),
            ("put \"k1\" was answered with 0x9c1f", "put \"k0 or so\" was answered with 0x1"),
            ("on disks of m1, m2, m3 nothing", "on disks of m5 nothing"),
            ("hash 03167b478b8f76a0 differs", "hash 9e37 differs"),
            (
                "m1 in boot: index 4 of 3 at core/src/wal/reader.rs:77",
                "m2 in boot: index 9 of 8 at core/src/wal/reader.rs:81",
            ),
            ("one\nand details", "one\nand others"),
            (
                "order: #3 (get k1) is at revision 4 (of (all) of them)",
                "order: #12 (get all keys) is at revision 9 ()",
            ),
        ] {
            assert_eq!(shape(one), shape(two));
            assert_eq!(fingerprint("log", &shape(one)), fingerprint("log", &shape(two)));
        }
        assert_eq!(shape("m2 votes for m1 twice in term 4"), "m# votes for m# twice in term #");
        assert_eq!(shape("fade 12"), "fade #");
    }

    #[test]
    fn other_places_and_judges_are_other_bugs() {
        assert_ne!(shape("m1 gives up: wal"), shape("m1 gives up: disk"));
        assert_ne!(fingerprint("log", "x"), fingerprint("watch", "x"));
        assert_eq!(fingerprint("log", "x").len(), 8);
        assert_eq!(shape(""), "");
        assert_eq!(shape("an open (bracket"), "an open (…)");
        assert_eq!(shape("an open \"quote"), "an open \"…\"");
    }
}
