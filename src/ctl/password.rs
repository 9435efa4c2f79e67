//! Passwords as they are typed: asked for on the terminal without being shown, or read from a pipe.

use std::io::{Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::exit::Exit;

/// Asks for the password of this user twice.
pub fn ask_for_new(user: &str) -> Result<String, Exit> {
    let failed = |error| Exit::bad_args(format!("failed to ask password: {error}"));
    let first = ask(&format!("Password of {user}: ")).map_err(failed)?;
    if first.is_empty() {
        return Err(Exit::bad_args("empty password"));
    }
    let again = ask(&format!("Type password of {user} again for confirmation: ")).map_err(failed)?;
    if first == again { Ok(first) } else { Err(Exit::bad_args("given passwords are different")) }
}

/// Asks once. What is typed is not shown, if there is a terminal.
pub fn ask(prompt: &str) -> std::io::Result<String> {
    let mut out = std::io::stdout();
    out.write_all(prompt.as_bytes())?;
    out.flush()?;
    let line = {
        let _hidden = Hidden::begin();
        read_line()?
    };
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(line)
}

/// The first word of a line of standard input, which is how Go scans one; empty if there is none.
pub fn scan() -> std::io::Result<String> {
    Ok(read_line()?.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Byte by byte, so that the next question finds its own line.
fn read_line() -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut input = std::io::stdin().lock();
    let mut byte = [0];
    while input.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// The terminal shows nothing while this lives.
struct Hidden(Option<Termios>);

impl Hidden {
    fn begin() -> Hidden {
        // No terminal, nothing to hide.
        let Ok(before) = tcgetattr(std::io::stdin()) else { return Hidden(None) };
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        Hidden(tcsetattr(std::io::stdin(), OptionalActions::Now, &silent).is_ok().then_some(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // If this fails the terminal is gone.
            tcsetattr(std::io::stdin(), OptionalActions::Now, before).ok();
        }
    }
}
