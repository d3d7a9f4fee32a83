//! What was asked with and what came back, as a page of pictures.

use std::fmt::Write;

use super::super::report::{escaped, head, image};

/// A picture that asked.
pub(super) struct Case {
    pub(super) title: String,
    pub(super) asked: Vec<u8>,
    /// Best first.
    pub(super) found: Vec<Shown>,
}

/// A product that was found.
pub(super) struct Shown {
    pub(super) jpeg: Option<Vec<u8>>,
    pub(super) title: String,
    pub(super) right: bool,
}

/// Cases on a page, taken evenly from all: one that can be sent by mail.
const CASES: usize = 60;
/// Results shown of each.
const SHOWN: usize = 6;

/// The page; `figures` are names with what was measured.
pub(super) fn page(figures: &[(String, String)], cases: &[Case]) -> String {
    let mut page = head("Scenes");
    page.push_str("<h1>What is found for things in photos?</h1><ul>");
    for (name, words) in figures {
        let _ = write!(page, "<li><b>{}</b>: {}", escaped(name), escaped(words));
    }
    page.push_str("</ul><p>A result is framed green if it is what was looked for.</p>");
    for case in cases.iter().step_by(cases.len().div_ceil(CASES).max(1)) {
        let _ = write!(
            page,
            "<section><figure class=q>{}<figcaption>{}</figcaption></figure><div class=r>",
            image(Some(case.asked.clone())),
            escaped(&case.title)
        );
        for shown in case.found.iter().take(SHOWN) {
            let _ = write!(
                page,
                "<figure class={}>{}<figcaption>{}</figcaption></figure>",
                if shown.right { "y" } else { "n" },
                image(shown.jpeg.clone()),
                escaped(&shown.title)
            );
        }
        page.push_str("</div></section>");
    }
    page.push_str("</body></html>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_few_and_nothing_becomes_markup() {
        let case = |at: usize| Case {
            title: format!("<i>{at}"),
            asked: vec![1, 2, 3],
            found: vec![Shown { jpeg: None, title: "a & b".into(), right: at == 0 }],
        };
        let page = page(&[("x".into(), "0.5".into())], &(0..500).map(case).collect::<Vec<_>>());
        let sections = page.matches("<section>").count();
        assert!((40..=CASES).contains(&sections), "{sections}");
        assert!(page.contains("&lt;i&gt;0") && page.contains("a &amp; b") && !page.contains("<i>"));
        assert!(page.contains("class=y") && page.ends_with("</html>\n"));
    }
}
