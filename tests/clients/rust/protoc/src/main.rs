//! Prints where the crates.io copy of protoc is: what PROTOC must say while the client beside this is built.

fn main() -> Result<(), protoc_bin_vendored::Error> {
    println!("{}", protoc_bin_vendored::protoc_bin_path()?.display());
    Ok(())
}
