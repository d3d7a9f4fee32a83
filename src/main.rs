//! The command line; see [`lookalike::cli`].

/// Maps of features come and go by the megabyte while a few numbers of each picture stay: glibc's allocator, which lets
/// such stay where they fall, ends up with twice the memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    lookalike::cli::main()
}
