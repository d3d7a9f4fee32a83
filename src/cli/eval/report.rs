//! The evaluation as a page that a merchandiser can read: what was asked, what came back, what the
//! labels say. One file, pictures included, that can be sent by mail.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::heldout::Answer;

/// Results shown per query.
const SHOWN: usize = 5;
/// Queries shown per section.
const CASES: usize = 30;

/// One way to search: its name, its figures in words, and its answers.
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) figures: String,
    pub(super) answers: Vec<Answer>,
}

/// What is shown of a product.
pub(super) struct Shown {
    pub(super) title: String,
    /// `None` takes no part in the figures.
    pub(super) label: Option<String>,
}

/// The page. With two variants or more the first is *before* and the last *after*, and what changed
/// is listed; `picture` gives a product's JPEG.
pub(super) fn html(
    variants: &[Variant],
    products: &[Shown],
    picture: impl Fn(usize) -> Option<Vec<u8>>,
) -> String {
    let mut page = head("Neighbours");
    page.push_str("<h1>How good are the neighbours?</h1><ul>");
    for variant in variants {
        let _ =
            write!(page, "<li><b>{}</b>: {}", escaped(&variant.name), escaped(&variant.figures));
    }
    page.push_str(
        "</ul><p>A result is framed green if it has the label of the product that was asked with, \
         red if it has another.</p>",
    );
    let (Some(before), Some(after)) = (variants.first(), variants.last()) else {
        return page;
    };
    let several = variants.len() > 1;
    let good = |answer: &Answer| {
        let label = products.get(answer.query).and_then(|p| p.label.as_ref());
        let alike = |row: &&usize| products.get(**row).and_then(|p| p.label.as_ref()) == label;
        answer.found.iter().take(SHOWN).filter(alike).count() as i64
    };
    let asked = |at: usize| {
        let answer = &after.answers[at];
        products.get(answer.query).is_some_and(|p| p.label.is_some())
    };
    // Both answer the same queries in the same order, or there is nothing to compare.
    let gain = |at: usize| match before.answers.get(at) {
        Some(b) if several && b.query == after.answers[at].query => {
            good(&after.answers[at]) - good(b)
        }
        _ => 0,
    };
    let rows: Vec<usize> = (0..after.answers.len()).filter(|&at| asked(at)).collect();
    let sorted = |key: &dyn Fn(usize) -> i64| {
        let mut rows = rows.clone();
        rows.sort_by_key(|&at| (key(at), at));
        rows
    };
    let mut section = |title: &str, rows: Vec<usize>| {
        if rows.is_empty() {
            return;
        }
        let _ = write!(page, "<h2>{title}</h2>");
        for at in rows.into_iter().take(CASES) {
            let answer = &after.answers[at];
            let Some(query) = products.get(answer.query) else { continue };
            let label = query.label.as_deref().unwrap_or_default();
            let _ = write!(
                page,
                "<section><figure class=q>{}<figcaption>{}<br><i>{}</i></figcaption></figure><div>",
                image(picture(answer.query)),
                escaped(&query.title),
                escaped(label)
            );
            let both = [before, after];
            for variant in if several { &both[..] } else { &both[1..] } {
                let Some(answer) = variant.answers.get(at) else { continue };
                let _ = write!(page, "<p>{}</p><div class=r>", escaped(&variant.name));
                for &row in answer.found.iter().take(SHOWN) {
                    let Some(found) = products.get(row) else { continue };
                    let class = if found.label == query.label { "y" } else { "n" };
                    let _ = write!(
                        page,
                        "<figure class={class}>{}<figcaption>{}</figcaption></figure>",
                        image(picture(row)),
                        escaped(&found.title)
                    );
                }
                page.push_str("</div>");
            }
            page.push_str("</div></section>");
        }
    };
    if several {
        section("Lost most", sorted(&gain).into_iter().filter(|&at| gain(at) < 0).collect());
        let gained = sorted(&|at| -gain(at)).into_iter().filter(|&at| gain(at) > 0).collect();
        section("Gained most", gained);
    }
    section("Hardest", sorted(&|at| good(&after.answers[at])));
    page.push_str("</body></html>\n");
    page
}

pub(super) fn image(jpeg: Option<Vec<u8>>) -> String {
    match jpeg {
        Some(bytes) => {
            format!("<img alt=\"\" src=\"data:image/jpeg;base64,{}\">", STANDARD.encode(bytes))
        }
        None => "<span class=none></span>".into(),
    }
}

/// Titles come from feeds: nothing in them may become markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The start of a page with our styles, up to the body.
pub(super) fn head(title: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width\"><title>{}</title><style>{STYLE}</style></head><body>",
        escaped(title)
    )
}

const STYLE: &str = "\
body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}\
section{display:flex;gap:1rem;border-top:1px solid #ccc;padding:.7rem 0}\
figure{margin:0;width:6.5rem;border:3px solid #ccc;border-radius:6px;overflow:hidden}\
figure.y{border-color:#1a7f37}figure.n{border-color:#cf222e}\
img,.none{display:block;width:100%;height:6rem;object-fit:contain;background:#fff}\
figcaption{font-size:12px;padding:.2rem;overflow-wrap:anywhere}\
.r{display:flex;gap:.5rem;flex-wrap:wrap}p{margin:.3rem 0}";

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(title: &str, label: &str) -> Shown {
        Shown { title: title.into(), label: Some(label.into()).filter(|l: &String| !l.is_empty()) }
    }

    fn variant(name: &str, found: &[usize]) -> Variant {
        let answers = vec![Answer { query: 0, found: found.to_vec() }];
        Variant { name: name.into(), figures: "top1 0.5".into(), answers }
    }

    #[test]
    fn hard_cases_and_changes_are_shown_with_what_the_labels_say() {
        let products = [shown("<b>Oak</b>", "table"), shown("Elm", "table"), shown("Lamp", "lamp")];
        let page = html(&[variant("before", &[2, 1]), variant("after", &[1])], &products, |row| {
            (row == 0).then(|| vec![1, 2, 3])
        });
        assert!(page.contains("&lt;b&gt;Oak") && !page.contains("<b>Oak"));
        assert!(page.contains("data:image/jpeg;base64,AQID"));
        assert!(page.contains("class=n") && page.contains("class=y") && page.contains("Hardest"));
        // One right of two before, one right after: neither gained nor lost.
        assert!(!page.contains("Gained most") && !page.contains("Lost most"));
        let lost = html(&[variant("a", &[1]), variant("b", &[2])], &products, |_| None);
        assert!(lost.contains("Lost most"));
    }

    #[test]
    fn rows_that_do_not_exist_are_passed_over() {
        let page = html(&[variant("only", &[7, 8])], &[shown("a", "x")], |_| None);
        assert!(page.ends_with("</html>\n"));
        assert!(html(&[], &[], |_| None).contains("<h1>"));
    }
}
