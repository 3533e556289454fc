//! The program: `terrier`.

use std::process::ExitCode;

fn main() -> ExitCode {
    terrier::main()
}
