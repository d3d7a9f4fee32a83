//! What the licences of the sample pictures ask for: who made them, under what
//! terms, and that they were changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Terms of one library.
pub struct Licence {
    /// File name in the package, without its extension.
    pub library: &'static str,
    pub name: &'static str,
    pub url: &'static str,
    /// Whom the library wants named, beside each piece's own author.
    pub credit: &'static str,
}

/// As the package's copyright file and the libraries' own `LICENSE.TXT` say.
pub const LICENCES: [Licence; 5] = [
    Licence {
        library: "BlendSwap-CC-0",
        name: "CC0 1.0",
        url: "https://creativecommons.org/publicdomain/zero/1.0/",
        credit: "contributors of Blend Swap (www.blendswap.com), converted by Emmanuel Puybaret / eTeks",
    },
    Licence {
        library: "BlendSwap-CC-BY",
        name: "CC BY 3.0",
        url: "https://creativecommons.org/licenses/by/3.0/",
        credit: "contributors of Blend Swap (www.blendswap.com), converted by Emmanuel Puybaret / eTeks",
    },
    Licence {
        library: "KatorLegaz",
        name: "CC BY 3.0 US",
        url: "https://creativecommons.org/licenses/by/3.0/us/",
        credit: "Andrew Kator & Jennifer Legaz",
    },
    Licence {
        library: "Reallusion",
        name: "CC BY 3.0 US",
        url: "https://creativecommons.org/licenses/by/3.0/us/",
        credit: "Reallusion (www.reallusion.com)",
    },
    Licence {
        library: "Scopia",
        name: "CC BY 3.0",
        url: "https://creativecommons.org/licenses/by/3.0/",
        credit: "Emmanuel Puybaret / eTeks and Scopia Visual Interfaces Systems, s.l. (www.scopia.es)",
    },
];

/// Authors of one library with the names of what they made.
pub type Authors = BTreeMap<String, BTreeSet<String>>;

/// The text that goes with the catalogue, in Markdown; its first paragraph is short enough for a page's foot.
pub fn text(libraries: &[(&Licence, Authors)]) -> String {
    let mut text = String::from(
        "Sample catalogue: pictures and names from Debian's package sweethome3d-furniture 1.8 \
         (the Sweet Home 3D furniture libraries, www.sweethome3d.com)",
    );
    for (licence, _) in libraries {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "; {} by {}, [{}]({})",
            licence.library, licence.credit, licence.name, licence.url
        );
    }
    text.push_str(
        ". Changed: laid over white, scaled for the page. None of the authors endorses this use.\n",
    );
    for (licence, authors) in libraries {
        let _ = writeln!(
            text,
            "\n## {}\n\n{}. Licence: {} <{}>\n",
            licence.library, licence.credit, licence.name, licence.url
        );
        for (author, pieces) in authors {
            let _ = writeln!(
                text,
                "- {author}: {}",
                Vec::from_iter(pieces.iter().map(String::as_str)).join(", ")
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_authors_pieces_and_terms() {
        let authors = Authors::from([(
            "Nmn9".to_owned(),
            BTreeSet::from(["Desk".to_owned(), "Lily".to_owned()]),
        )]);
        let text = text(&[(&LICENCES[1], authors)]);
        for wanted in [
            "- Nmn9: Desk, Lily",
            "creativecommons.org/licenses/by/3.0/",
            "Changed:",
            "## BlendSwap-CC-BY",
        ] {
            assert!(text.contains(wanted), "{wanted} is missing from:\n{text}");
        }
        assert_eq!(
            text.lines().next().map(|line| line.starts_with("Sample catalogue")),
            Some(true)
        );
    }
}
