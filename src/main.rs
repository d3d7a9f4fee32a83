//! The command line; see [`lookalike::cli`].

fn main() -> std::process::ExitCode {
    lookalike::cli::main()
}
