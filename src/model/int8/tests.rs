use std::collections::HashMap;

use super::patches::Sources;
use super::quantise::{self, Observed, RangeRule};
use super::rounder::{Bits, Rounder};
use super::{NotLowered, Program, State, lower};
use crate::kernels::check::Random;
use crate::kernels::{Alone, Isa, Split};
use crate::model::proto::{
    AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto,
};
use crate::model::tract::{Plan, dequantise_weights};
use crate::model::{onnx, write};
use crate::preprocess::InputSpec;

const SIDE: usize = 21;

fn node(op: &str, inputs: &[&str], output: &str, lists: &[(&str, &[i64])]) -> NodeProto {
    let mut node = write::node(op, inputs, output, &[]);
    node.attribute = lists
        .iter()
        .map(|(name, ints)| match ints {
            [i] => AttributeProto {
                name: (*name).into(),
                r#type: AttributeType::Int as i32,
                i: *i,
                ..AttributeProto::default()
            },
            _ => AttributeProto {
                name: (*name).into(),
                r#type: AttributeType::Ints as i32,
                ints: ints.to_vec(),
                ..AttributeProto::default()
            },
        })
        .collect();
    node
}

/// A network with every operator that is lowered, real-valued.
fn network() -> GraphProto {
    let mut rng = Random::new(7);
    let mut graph = GraphProto::default();
    let mut conv = |name: &str,
                    from: &str,
                    out: i64,
                    group_in: i64,
                    k: [i64; 2],
                    stride: i64,
                    pads: [i64; 4],
                    group: i64| {
        let n = (out * group_in * k[0] * k[1]) as usize;
        let spread = 1.7 / ((n as f32) / out as f32).sqrt();
        let mut random = |n: usize, spread: f32| -> Vec<f32> {
            (0..n).map(|_| (rng.below(2001) as f32 / 1000.0 - 1.0) * spread).collect()
        };
        let (w, b) = (format!("{name}.w"), format!("{name}.b"));
        graph.initializer.push(onnx::float_tensor(
            &w,
            &[out, group_in, k[0], k[1]],
            &random(n, spread),
        ));
        graph.initializer.push(onnx::float_tensor(&b, &[out], &random(out as usize, 0.3)));
        let stride = [stride, stride];
        graph.node.push(node(
            "Conv",
            &[from, &w, &b],
            name,
            &[("strides", &stride), ("pads", &pads), ("kernel_shape", &k), ("group", &[group])],
        ));
    };
    conv("first", "input", 16, 3, [3, 3], 2, [0, 0, 1, 1], 1);
    conv("square", "first.relu", 32, 16, [3, 3], 1, [1, 1, 1, 1], 1);
    conv("wide", "first.relu", 16, 16, [1, 7], 1, [0, 3, 0, 3], 1);
    conv("tall", "wide", 32, 16, [7, 1], 1, [3, 0, 3, 0], 1);
    conv("five", "first.relu", 24, 16, [5, 5], 1, [2, 2, 2, 2], 1);
    conv("point", "average", 16, 16, [1, 1], 1, [0, 0, 0, 0], 1);
    conv("depthwise", "sum", 32, 1, [3, 3], 2, [1, 1, 1, 1], 32);
    let by_name: HashMap<String, NodeProto> =
        graph.node.drain(..).map(|n| (n.name.clone(), n)).collect();
    let conv = |name: &str| by_name[name].clone();
    graph.initializer.push(onnx::float_tensor("zero", &[], &[0.0]));
    graph.initializer.push(onnx::float_tensor("six", &[], &[0.4]));
    let window: [(&str, &[i64]); 3] =
        [("kernel_shape", &[3, 3]), ("strides", &[1, 1]), ("pads", &[1, 1, 1, 1])];
    graph.node = vec![
        conv("first"),
        node("Relu", &["first"], "first.relu", &[]),
        conv("square"),
        node("Relu", &["square"], "square.relu", &[]),
        // No activation: codes on both sides of zero.
        conv("wide"),
        conv("tall"),
        node("Add", &["square.relu", "tall"], "sum", &[]),
        conv("five"),
        node("Clip", &["five", "zero", "six"], "five.clip", &[]),
        node("AveragePool", &["first.relu"], "average", &window),
        conv("point"),
        node("Relu", &["point"], "point.relu", &[]),
        node("MaxPool", &["first.relu"], "largest", &window),
        node("Concat", &["five.clip", "point.relu", "largest"], "joined", &[("axis", &[1])]),
        conv("depthwise"),
        node("Relu", &["depthwise"], "last", &[]),
    ];
    let side = Some(SIDE as i64);
    graph.input = vec![onnx::value_info("input", &[Some(1), Some(3), side, side])];
    graph.output =
        vec![onnx::value_info("joined", &[None; 4]), onnx::value_info("last", &[None; 4])];
    graph
}

fn layers() -> Vec<String> {
    vec!["joined".into(), "last".into()]
}

/// Outputs of a graph in real numbers, as tract computes them, `[c][h][w]` each.
fn tract(mut graph: GraphProto, outputs: &[String], planes: &[f32]) -> Vec<Vec<f32>> {
    dequantise_weights(&mut graph).unwrap();
    graph.output = outputs.iter().map(|name| onnx::value_info(name, &[None; 4])).collect();
    let opset = OperatorSetIdProto { version: 17, ..OperatorSetIdProto::default() };
    let model = ModelProto {
        graph: Some(graph),
        ir_version: 8,
        opset_import: vec![opset],
        ..ModelProto::default()
    };
    let input = InputSpec { size: SIDE as u32, mean: [0.0; 3], std: [1.0; 3] };
    let plan = Plan::new(&model, &input).unwrap();
    let outputs = plan.run_planes(planes, &input).unwrap();
    outputs.into_iter().map(|output| output.values).collect()
}

fn pixels() -> Vec<u8> {
    Random::new(11).codes(SIDE * SIDE * 3)
}

fn planes(pixels: &[u8]) -> Vec<f32> {
    (0..3).flat_map(|c| pixels.iter().skip(c).step_by(3).map(|v| f32::from(*v) / 255.0)).collect()
}

fn quantised() -> GraphProto {
    let mut graph = network();
    let points = quantise::points(&graph, &layers());
    let seen = tract(graph.clone(), &points, &planes(&pixels()));
    let ranges = points
        .into_iter()
        .zip(seen)
        .map(|(name, values)| {
            let mut observed = Observed::default();
            observed.add(values);
            (name, observed.range(RangeRule::SquareError))
        })
        .collect();
    let rounder = Rounder { bits: Bits::Same(7), moments: None };
    quantise::apply(&mut graph, &layers(), (0.0, 1.0), &ranges, &rounder).unwrap();
    graph
}

fn program(graph: &GraphProto, isa: Isa) -> Result<Program, String> {
    lower(graph, SIDE, &layers(), isa).map_err(|e| e.to_string())
}

#[test]
fn codes_are_those_of_the_quantised_graph_and_near_the_real_one() {
    let graph = quantised();
    let pixels = pixels();
    let expected = tract(graph.clone(), &layers(), &planes(&pixels));
    let real = tract(network(), &layers(), &planes(&pixels));
    let program = program(&graph, Isa::best()).unwrap();
    let mut state = State::default();
    for (i, map) in program.run(&pixels, &mut state, &Alone).iter().enumerate() {
        let (shape, scale) = (map.tensor.shape, map.tensor.scale);
        let values = map.values();
        let chw = |values: &[f32]| -> Vec<f32> {
            (0..shape.c)
                .flat_map(|c| values.iter().skip(c).step_by(shape.c).copied().collect::<Vec<_>>())
                .collect()
        };
        let ours = chw(&values);
        assert_eq!(ours.len(), expected[i].len());
        let steps: Vec<f32> =
            ours.iter().zip(&expected[i]).map(|(a, b)| (a - b).abs() / scale).collect();
        let off = steps.iter().filter(|s| **s > 0.5).count();
        // Real-valued sums round differently at ties, now and then.
        assert!(
            off * 100 < steps.len() && steps.iter().all(|s| *s < 2.5),
            "output {i}: {off} of {} differ",
            steps.len()
        );
        let cosine = |a: &[f32], b: &[f32]| {
            let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f32>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        assert!(cosine(&ours, &real[i]) > 0.995, "output {i}: cosine {}", cosine(&ours, &real[i]));
    }
}

#[test]
fn every_variant_runs_the_program_alike_and_twice() {
    let graph = quantised();
    let mut first: Option<Vec<Vec<u8>>> = None;
    for isa in Isa::available() {
        let program = program(&graph, isa).unwrap();
        let mut state = State::default();
        for _ in 0..2 {
            let codes: Vec<Vec<u8>> = program
                .run(&pixels(), &mut state, &Alone)
                .iter()
                .map(|m| m.codes.to_vec())
                .collect();
            assert!(first.get_or_insert_with(|| codes.clone()) == &codes, "{isa:?}");
        }
    }
}

#[test]
fn splitting_a_layer_changes_nothing() {
    struct Threads(usize);
    impl Split for Threads {
        fn width(&self) -> usize {
            self.0
        }
        fn run(&self, parts: usize, job: &(dyn Fn(usize) + Sync)) {
            std::thread::scope(|scope| {
                for part in 0..parts {
                    scope.spawn(move || job(part));
                }
            });
        }
    }
    let program = program(&quantised(), Isa::best()).unwrap();
    let run = |split: &dyn Split| -> Vec<Vec<u8>> {
        program
            .run(&pixels(), &mut State::default(), split)
            .iter()
            .map(|m| m.codes.to_vec())
            .collect()
    };
    let alone = run(&Alone);
    for width in [2, 3, 7] {
        assert!(run(&Threads(width)) == alone, "{width}");
    }
}

fn initializer<'a>(graph: &'a mut GraphProto, name: &str) -> &'a mut TensorProto {
    graph.initializer.iter_mut().find(|t| t.name == name).unwrap()
}

#[test]
fn what_makes_no_sense_is_an_error_that_names_the_node() {
    type Harm = fn(&mut GraphProto);
    let harms: [(&str, Harm); 9] = [
        ("scale of NaN", |g| {
            initializer(g, "sum.codes.scale").raw_data = f32::NAN.to_le_bytes().to_vec().into();
        }),
        ("scale of 0", |g| {
            let scale = initializer(g, "first.w.scale");
            scale.raw_data = [&[0; 4], &scale.raw_data[4..]].concat().into();
        }),
        ("a zero point beyond 8 bits", |g| {
            let zero = initializer(g, "sum.codes.zero");
            zero.data_type = DataType::Int32 as i32;
            zero.raw_data = 300i32.to_le_bytes().to_vec().into();
        }),
        ("two zero points for one scale", |g| {
            let zero = initializer(g, "sum.codes.zero");
            zero.dims = vec![2];
            zero.raw_data = vec![0, 0].into();
        }),
        ("weights of another shape", |g| initializer(g, "tall.w.codes").dims = vec![32, 32, 7, 1]),
        ("a kernel of another size", |g| {
            g.node
                .iter_mut()
                .find(|n| n.name == "five")
                .unwrap()
                .attribute
                .retain(|a| a.name != "group");
            let five = g.node.iter_mut().find(|n| n.name == "five").unwrap();
            five.attribute.iter_mut().find(|a| a.name == "kernel_shape").unwrap().ints = vec![3, 3];
        }),
        ("a stride of 0", |g| {
            let first = g.node.iter_mut().find(|n| n.name == "first").unwrap();
            first.attribute.iter_mut().find(|a| a.name == "strides").unwrap().ints = vec![0, 1];
        }),
        ("negative padding", |g| {
            let first = g.node.iter_mut().find(|n| n.name == "first").unwrap();
            first.attribute.iter_mut().find(|a| a.name == "pads").unwrap().ints = vec![-1, 0, 0, 0];
        }),
        ("an input that nobody writes", |g| {
            g.node.iter_mut().find(|n| n.name == "sum").unwrap().input[1] = "nowhere".into();
        }),
    ];
    for (what, harm) in harms {
        let mut graph = quantised();
        harm(&mut graph);
        match lower(&graph, SIDE, &layers(), Isa::Generic) {
            Err(NotLowered::Bad(error)) => {
                assert!(error.to_string().contains("node"), "{what}: {error}");
            }
            Err(NotLowered::Unsupported(why)) => panic!("{what}: unsupported: {why}"),
            Ok(_) => panic!("{what}: taken"),
        }
    }
}

#[test]
fn what_has_no_kernel_is_left_to_tract() {
    let unsupported = |graph: &GraphProto| match lower(graph, SIDE, &layers(), Isa::Generic) {
        Err(NotLowered::Unsupported(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(unsupported(&network()).contains("\"first\""), "a real-valued network");
    let mut graph = quantised();
    graph.node.iter_mut().find(|n| n.name == "last").unwrap().op_type = "Sigmoid".into();
    assert!(unsupported(&graph).contains("Sigmoid"));
    let mut graph = quantised();
    graph.node.iter_mut().find(|n| n.name == "joined").unwrap().attribute[0].i = 2;
    assert!(unsupported(&graph).contains("channels"));
}

#[test]
fn ranges_clip_what_is_rare() {
    let mut observed = Observed::default();
    observed.add((0..10_000).map(|i| i as f32 / 10_000.0));
    let (lo, hi) = observed.range(RangeRule::SquareError);
    assert!(lo == 0.0 && (0.9..=1.0).contains(&hi), "{hi}");
    let mut more = Observed::default();
    more.add([3.0]);
    for _ in 0..200 {
        more.merge(observed.clone());
    }
    let (_, hi) = more.range(RangeRule::SquareError);
    assert!((0.9..1.5).contains(&hi), "one outlier in two million: {hi}");
    let mut signed = Observed::default();
    signed.add([-2.0, 5.0]);
    assert_eq!(signed.range(RangeRule::SquareError), (-2.0, 5.0));
    assert_eq!(Observed::default().range(RangeRule::SquareError), (0.0, 0.0));
}

#[test]
fn ranges_by_share_and_whole() {
    let mut observed = Observed::default();
    observed.add((1..=1000).map(|i| i as f32 / 500.0));
    assert_eq!(observed.range(RangeRule::Whole), (0.0, 2.0));
    let (lo, hi) = observed.range(RangeRule::Share(0.9));
    assert!(lo == 0.0 && (hi - 1.8).abs() < 0.01, "{hi}");
    assert_eq!(observed.range(RangeRule::Share(1.0)), (0.0, 2.0));
}

#[test]
fn each_group_of_a_convolution_meets_its_own_channels() {
    let sources = Sources::of(&network(), "input");
    assert!(sources.index("first.w").is_none(), "reads the input");
    let depthwise = sources.index("depthwise.w").unwrap();
    let values: Vec<f32> = (0..32 * 16).map(|i| (i / 16) as f32).collect();
    let map = |name: &str| (name == "sum").then_some((&[1, 32, 4, 4][..], &values[..]));
    let mut moments = sources.moments();
    sources.add(&mut moments, &[sources.sample(0, map), sources.sample(1, map)]);
    assert_eq!(moments[depthwise].len(), 32);
    for (channel, moments) in moments[depthwise].iter().enumerate() {
        let mean = moments.mean();
        assert_eq!((mean.len(), mean[4]), (9, channel as f64), "the middle of the window");
    }
}
