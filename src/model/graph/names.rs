//! Which tensor is meant by what a person calls a layer.
//!
//! Exporters write paths: Keras' `mixed8` becomes `inception_v3_1/mixed8_1/concat:0`, torch's `Mixed_6a` becomes
//! `/Mixed_6a/Concat_output_0`, and a layer of several operators is a folder of tensors. What is meant by a layer's name is
//! the one tensor of it that others read.

use std::collections::{BTreeSet, HashSet};

use crate::error::Result;
use crate::model::onnx::bad;
use crate::model::proto::GraphProto;

/// Most names that a message lists.
const LISTED: usize = 40;

/// The tensor that `name` means: a tensor's own name, a node's for its first output, or a part of a path.
///
/// # Errors
/// `BadModel` if there is none, or several; lists names that there are.
pub(in crate::model) fn resolve(graph: &GraphProto, name: &str) -> Result<String> {
    if graph.node.iter().any(|n| n.output.iter().any(|o| o == name)) {
        return Ok(name.to_owned());
    }
    if let Some(output) = graph.node.iter().find(|n| n.name == name).and_then(|n| n.output.first())
    {
        return Ok(output.clone());
    }
    let found = short(graph, name);
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(bad(format!(
            "the network has no layer {name:?}; some that it has: {}",
            list(&layer_names(graph))
        ))),
        several => Err(bad(format!(
            "layer {name:?} may be any of these, give one of them whole: {}",
            list(several)
        ))),
    }
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The results of the blocks whose path ends in `name`, or in `name` and a number that the exporter has added.
fn short(graph: &GraphProto, name: &str) -> Vec<String> {
    let wanted = name.trim_matches('/');
    let blocks: BTreeSet<&str> = graph
        .node
        .iter()
        .flat_map(|n| &n.output)
        .filter_map(|output| block(output, wanted))
        .collect();
    let mut found = Vec::new();
    for block in blocks {
        let within = |tensor: &str| {
            tensor.strip_prefix(block).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                || tensor.strip_prefix(block).is_some_and(|rest| rest.starts_with(':'))
        };
        // Read by what lies outside, or by nobody.
        let (mut inner, mut outer): (HashSet<&str>, HashSet<&str>) = Default::default();
        for node in &graph.node {
            let own = node.output.iter().any(|o| within(o));
            let reads = node.input.iter().map(String::as_str);
            if own { inner.extend(reads) } else { outer.extend(reads) }
        }
        let leaves =
            |tensor: &&String| outer.contains(tensor.as_str()) || !inner.contains(tensor.as_str());
        let own = graph.node.iter().flat_map(|n| &n.output).filter(|o| within(o));
        found.extend(own.filter(leaves).cloned());
    }
    found
}

/// The part of a path up to and with the component that is `wanted`, which may be several components itself.
fn block<'a>(path: &'a str, wanted: &str) -> Option<&'a str> {
    if wanted.is_empty() {
        return None;
    }
    let mut at = 0;
    while let Some(found) = path[at..].find(wanted) {
        let (start, mut end) = (at + found, at + found + wanted.len());
        let begins = start == 0 || path[..start].ends_with('/');
        let rest = &path[end..];
        if let Some(number) = rest.strip_prefix('_') {
            let digits =
                number.len() - number.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits > 0 {
                end += 1 + digits;
            }
        }
        if begins && (path[end..].is_empty() || path[end..].starts_with(['/', ':'])) {
            return Some(&path[..end]);
        }
        at = start + wanted.chars().next().map_or(1, char::len_utf8);
    }
    None
}

/// Names worth cutting at: where branches join, else the last operators.
fn layer_names(graph: &GraphProto) -> Vec<String> {
    let of = |kinds: &[&str]| -> Vec<String> {
        graph
            .node
            .iter()
            .filter(|n| kinds.contains(&n.op_type.as_str()))
            .filter_map(|n| n.output.first().cloned())
            .collect()
    };
    let joins = of(&["Concat", "Add"]);
    if joins.is_empty() { of(&["Relu", "Clip", "Conv"]) } else { joins }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::write::node;

    fn graph(nodes: &[(&str, &[&str], &str)]) -> GraphProto {
        let node = nodes.iter().map(|(op, inputs, output)| {
            let mut node = node(op, inputs, output, &[]);
            node.name = output.split(':').next().unwrap_or_default().into();
            node
        });
        GraphProto { node: node.collect(), ..GraphProto::default() }
    }

    #[test]
    fn a_short_name_finds_the_one_tensor_that_leaves_the_layer() {
        let keras = graph(&[
            ("Conv", &["x"], "net_1/conv2d_8_1/convolution:0"),
            ("Relu", &["net_1/conv2d_8_1/convolution:0"], "net_1/activation_8_1/Relu:0"),
            ("Concat", &["net_1/activation_8_1/Relu:0"], "net_1/mixed8_1/concat:0"),
            ("Relu", &["net_1/mixed8_1/concat:0"], "net_1/mixed9_1/concat:0"),
            ("Relu", &["net_1/mixed9_1/concat:0"], "net_1/mixed9_1_1/concat:0"),
        ]);
        for (name, tensor) in [
            ("mixed8", "net_1/mixed8_1/concat:0"),
            ("mixed8_1", "net_1/mixed8_1/concat:0"),
            ("net_1/mixed8_1/concat", "net_1/mixed8_1/concat:0"),
            ("mixed8_1/concat", "net_1/mixed8_1/concat:0"),
            ("mixed9", "net_1/mixed9_1/concat:0"),
        ] {
            assert_eq!(resolve(&keras, name).unwrap(), tensor, "{name}");
        }
        // Keras' layers mixed9 and mixed9_1 both look like this.
        let both = resolve(&keras, "mixed9_1").unwrap_err().to_string();
        assert!(both.contains("net_1/mixed9_1/") && both.contains("net_1/mixed9_1_1/"), "{both}");
        for name in ["mixed", "ixed8", "mixed88", "/", "", "8"] {
            assert!(resolve(&keras, name).unwrap_err().to_string().contains("no layer"), "{name}");
        }

        let torch = graph(&[
            ("Conv", &["x"], "/Mixed_6a/branch3x3/conv/Conv_output_0"),
            ("MaxPool", &["x"], "/Mixed_6a/MaxPool_output_0"),
            (
                "Concat",
                &["/Mixed_6a/branch3x3/conv/Conv_output_0", "/Mixed_6a/MaxPool_output_0"],
                "/Mixed_6a/Concat_output_0",
            ),
            ("Relu", &["/Mixed_6a/Concat_output_0"], "/Mixed_6b/Relu_output_0"),
            ("Relu", &["/Mixed_6a/Concat_output_0"], "/Mixed_6b/Relu_1_output_0"),
        ]);
        assert_eq!(resolve(&torch, "Mixed_6a").unwrap(), "/Mixed_6a/Concat_output_0");
        let several = resolve(&torch, "Mixed_6b").unwrap_err().to_string();
        assert!(
            several.contains("Relu_output_0") && several.contains("Relu_1_output_0"),
            "{several}"
        );
    }
}
