//! A Rust file with its comments and literals blanked out, so that rules look at code and not at prose.

use std::collections::BTreeSet;

/// One file as the rules see it. All three texts have the same lines.
pub struct Source {
    /// Path below the workspace root, with `/`.
    pub path: String,
    pub text: String,
    /// `text` with comments and the content of string and character literals replaced by spaces.
    pub code: String,
    /// `code` without items marked `#[cfg(test)]`; empty lines in a file that holds only tests.
    pub shipped: String,
    /// Numbers of the lines on which a comment starts that is not documentation.
    remarks: BTreeSet<usize>,
}

impl Source {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let (code, remarks) = blank_prose(&text);
        let shipped = if is_test_file(&path) { blank(&code, 0, code.len()) } else { blank_tests(&code) };
        Source { path, text, code, shipped, remarks }
    }

    /// Whether the file is written by `cargo xtask codegen`.
    pub fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }

    /// Whether the whole file is test code.
    pub fn is_test(&self) -> bool {
        is_test_file(&self.path)
    }

    /// Whether a comment starts on line `number` (from 1); documentation is none.
    pub fn has_remark(&self, number: usize) -> bool {
        self.remarks.contains(&number)
    }
}

fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.split('/').any(|part| part == "tests") || name == "tests.rs" || name.ends_with("_tests.rs")
}

/// Line numbers (from 1) at which `word` stands in `code` as a whole word.
pub fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (number, line) in code.lines().enumerate() {
        if find_word(line, word).is_some() {
            lines.push(number + 1);
        }
    }
    lines
}

/// Byte offset of the first whole-word occurrence of `word`.
pub fn find_word(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let open = |edge: Option<char>, neighbour: Option<char>| {
            !(edge.is_some_and(is_word) && neighbour.is_some_and(is_word))
        };
        open(word.chars().next(), before) && open(word.chars().next_back(), after)
    })
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Modules of `std` that `code` names, with their lines: `std::fs`, `use std::{fs, io}`, `std::{self}`.
pub fn std_modules(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = find_word(&code[from..], "std::").map(|at| at + from) {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "std::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group_heads(group).into_iter().map(|name| (line, name)));
        } else {
            found.push((line, rest.chars().take_while(|c| is_word(*c)).collect()));
        }
        from = at + "std::".len();
    }
    found
}

/// First path segment of each entry of a use group, given the text after its opening brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut head = Some(String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(head.replace(String::new())),
            c if is_word(c) => {
                if let Some(name) = &mut head {
                    name.push(c);
                }
            }
            c if c.is_whitespace() && head.as_ref().is_none_or(String::is_empty) => {}
            _ => heads.extend(head.take()),
        }
    }
    heads.extend(head);
    heads.retain(|name| !name.is_empty());
    heads
}

fn blank(text: &str, from: usize, to: usize) -> String {
    let blanked = text[from..to].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect::<String>();
    format!("{}{blanked}{}", &text[..from], &text[to..])
}

/// `text` as code, and the lines on which remarks start.
fn blank_prose(text: &str) -> (String, BTreeSet<usize>) {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut remarks = BTreeSet::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let end = prose_end(&chars, at).max(at + 1);
        let prose = end > at + 1;
        if prose && chars[at] == '/' && !matches!(chars.get(at + 2), Some('/' | '!')) {
            remarks.insert(line);
        }
        for c in &chars[at..end] {
            line += usize::from(*c == '\n');
            out.push(if prose && *c != '\n' { ' ' } else { *c });
        }
        at = end;
    }
    (out, remarks)
}

/// Where the comment or literal that starts at `at` ends; `at` itself if none starts there.
fn prose_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    let in_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |c| c == '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at + 1),
        'b' | 'c' if !in_word && next == Some('"') => string_end(chars, at + 2),
        'b' | 'c' if !in_word && next == Some('r') => raw_string_end(chars, at, at + 2),
        'r' if !in_word => raw_string_end(chars, at, at + 1),
        '\'' => char_end(chars, at),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| stop(*c)).map_or(chars.len(), |offset| from + offset)
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `start` if no raw string begins there; `at` is where its hashes would be.
fn raw_string_end(chars: &[char], start: usize, at: usize) -> usize {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return start;
    }
    let mut end = at + hashes + 1;
    while end < chars.len() {
        if chars[end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
        {
            return end + 1 + hashes;
        }
        end += 1;
    }
    chars.len()
}

/// A character literal ends at its quote; a lifetime is no literal.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => (find(chars, at + 3, |c| c == '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Blanks every item that follows `#[cfg(test)]`, up to its closing brace or semicolon.
fn blank_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    if code.contains("#![cfg(test)]") {
        return blank(code, 0, code.len());
    }
    let mut out = code.to_owned();
    while let Some(start) = out.find(MARK) {
        let mut depth = 0;
        let mut end = out.len();
        for (offset, c) in out[start + MARK.len()..].char_indices() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth < 0 || (depth == 0 && (c == '}' || c == ';')) {
                end = start + MARK.len() + offset + c.len_utf8();
                break;
            }
        }
        out = blank(&out, start, end);
    }
    out
}
