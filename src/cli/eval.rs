use crate::error::Result;
#[derive(clap::Args)]
pub(super) struct Args {}
pub(super) fn run(_: &Args) -> Result<()> {
    Ok(())
}
