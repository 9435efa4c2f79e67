//! What tests of the command line share.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    path::PathBuf,
    process::{Command, Output},
};

pub fn etcdsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_etcdsim")).args(args).output().expect("etcdsim runs")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder for one test, gone with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("etcdsim-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder can be written");
        Folder(path)
    }

    /// A path in it.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path that is text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
