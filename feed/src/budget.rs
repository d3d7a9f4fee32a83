//! What variants take from their product is bounded: each repeats what all share, so that a small
//! file could ask for any amount of memory.

use crate::record::MAX_RECORD;

/// Why products that would fill the memory are refused.
pub(crate) const TOO_MUCH: &str =
    "its variants repeat more of what they share than is read: list them as products of their own";

/// Bytes of all products of one element together.
const MAX_ELEMENT: usize = 8 * MAX_RECORD;
/// Characters of a text that variants take from their product; what is shipped of one is shorter.
const MAX_SHARED: usize = 4000;

/// The products of an element are larger than is kept in memory.
#[derive(Debug)]
pub(crate) struct TooMuch;

/// What the products of an element have taken of the memory that they may take.
#[derive(Debug, Default)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn spend(&mut self, pairs: &[(String, String)]) -> Result<(), TooMuch> {
        let size = |(name, text): &(String, String)| name.len() + text.len() + 64;
        self.0 += pairs.iter().map(size).sum::<usize>();
        if self.0 > MAX_ELEMENT { Err(TooMuch) } else { Ok(()) }
    }
}

/// Cuts a text that many variants take from their product.
pub(crate) fn brief(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(MAX_SHARED) {
        text.truncate(at);
        // What was cut off must not be held either.
        text.shrink_to_fit();
    }
}
