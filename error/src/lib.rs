//! The one error type: what kind of thing went wrong, where, and why.

use std::error::Error as StdError;
use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault an error is, coarse enough to act on: a page picks its message by it, the command
/// line its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The picture is empty, damaged, or not a picture at all.
    BadPicture,
    /// The picture ends before it should: it was cut off on its way.
    CutOff,
    /// The input is valid but of a kind that this crate does not read, such as HEIC.
    Unsupported,
    /// A limit was exceeded; the message names the limit.
    TooLarge,
    /// The network file is damaged or is not a network that can be used.
    BadModel,
    /// The index file is damaged.
    BadIndex,
    /// The catalogue (feed, folder, product list) is wrong.
    BadCatalog,
    /// A downloaded file is not the one that the manifest promises.
    BadFile,
    /// Two files are each fine but do not belong together.
    Mismatch,
    /// The query asks for something that does not exist or makes no sense.
    BadQuery,
    /// Something has to be provided first: the network, the index, a photo.
    NotReady,
    /// Reading or writing failed.
    Io,
    /// A bug in this crate.
    Internal,
}

impl ErrorKind {
    /// The name that crosses the JavaScript and JSON boundaries; stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadPicture => "bad-picture",
            Self::CutOff => "cut-off",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too-large",
            Self::BadModel => "bad-model",
            Self::BadIndex => "bad-index",
            Self::BadCatalog => "bad-catalog",
            Self::BadFile => "bad-file",
            Self::Mismatch => "mismatch",
            Self::BadQuery => "bad-query",
            Self::NotReady => "not-ready",
            Self::Io => "io",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong ([`kind`](Error::kind)), where and what to do about it
/// ([`context`](Error::context)), and the cause underneath, if there is one
/// ([`source`](StdError::source)).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with no cause underneath. `context` says what is wrong, where, and what to do.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, context: context.into(), source: None }))
    }

    /// An error that was caused by another one.
    pub fn with_source(
        kind: ErrorKind,
        context: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Box::new(Inner { kind, context: context.into(), source: Some(source.into()) }))
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong and where, without the causes underneath.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.0.context
    }

    /// The same error, said to have happened at `place` (a file, a row, a node).
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.context = format!("{place}: {}", self.0.context);
        self
    }
}

impl fmt::Display for Error {
    /// The context, followed by each cause after a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.context)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            // One of ours prints its own causes.
            source = if cause.is::<Self>() { None } else { cause.source() };
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_chains_the_causes_and_the_place() {
        let io = std::io::Error::other("disk on fire");
        let error = Error::with_source(ErrorKind::Io, "cannot read shop.csv", io).at("row 3");
        assert_eq!(error.to_string(), "row 3: cannot read shop.csv: disk on fire");
        assert_eq!(error.kind(), ErrorKind::Io);
        let outer = Error::with_source(ErrorKind::BadCatalog, "no catalogue", error);
        assert_eq!(outer.to_string(), "no catalogue: row 3: cannot read shop.csv: disk on fire");
    }
}
