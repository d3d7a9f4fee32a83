//! A list of kernels over shared buffers, and how it runs.

use std::sync::Mutex;

use crate::kernels::{
    AddParams, BadLayer, Clamp, Conv, Depthwise, MAX_SIDE, MultiplyParams, Rows, Scratch, Shape,
    Split, Window, add, average_pool, look_up, max_pool, multiply, pad, requantise_map,
};
use crate::model::Work;

/// Most memory that the maps of one network may take.
const MAX_MAPS: usize = 1 << 30;

/// A quantised map: shape and what its codes mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Shape,
    pub(crate) scale: f32,
    pub(crate) zero_point: u8,
}

/// One operation on maps.
#[derive(Debug)]
pub(crate) enum Op {
    Conv(Conv),
    Depthwise(Depthwise),
    MaxPool(Window),
    AveragePool {
        window: Window,
        include_pad: bool,
        scale: f32,
        clamp: Clamp,
    },
    Add(AddParams),
    /// The second map may be one pixel.
    Multiply(MultiplyParams),
    /// A function of each code: one table for all channels, or one for each.
    Table(Vec<[u8; 256]>),
    /// Rows and columns ahead, and what they hold.
    Pad {
        before: (usize, usize),
        code: u8,
    },
    Requantise {
        scale: f32,
        clamp: Clamp,
    },
    /// Vanishes when the program is finished: its inputs are written in place.
    Concat,
}

#[derive(Debug)]
struct Node {
    name: String,
    op: Op,
    inputs: Vec<usize>,
    output: usize,
}

/// Collects nodes in the order in which they run.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    tensors: Vec<Tensor>,
    nodes: Vec<Node>,
}

impl Builder {
    /// A tensor; the first one is the program's input.
    pub(crate) fn tensor(&mut self, tensor: Tensor) -> Result<usize, BadLayer> {
        let Shape { h, w, c } = tensor.shape;
        let bytes = [h, w, c].iter().fold(1u64, |all, side| all.saturating_mul(*side as u64));
        if [h, w, c].iter().any(|side| *side > MAX_SIDE) || bytes > MAX_MAPS as u64 {
            return Err(BadLayer(format!("its result of {h} x {w} x {c} is too large")));
        }
        self.tensors.push(tensor);
        Ok(self.tensors.len() - 1)
    }

    pub(crate) fn get(&self, id: usize) -> Tensor {
        self.tensors[id]
    }

    pub(crate) fn node(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<usize>,
        output: Tensor,
    ) -> Result<usize, BadLayer> {
        let output = self.tensor(output)?;
        self.nodes.push(Node { name: name.to_owned(), op, inputs, output });
        Ok(output)
    }

    /// Places every tensor into a buffer. `outputs` are kept to the end.
    pub(crate) fn finish(self, outputs: &[usize]) -> Result<Program, BadLayer> {
        let Builder { mut tensors, nodes } = self;
        let mut readers = vec![0usize; tensors.len()];
        for id in nodes.iter().flat_map(|n| &n.inputs).chain(outputs) {
            readers[*id] += 1;
        }
        // Where a tensor lives: inside another one, from a channel on.
        let mut home: Vec<Option<(usize, usize)>> = vec![None; tensors.len()];
        let mut steps: Vec<Node> = Vec::with_capacity(nodes.len());
        // Sums are written densely.
        let dense: Vec<usize> =
            nodes.iter().filter(|n| matches!(n.op, Op::Add(_))).map(|n| n.output).collect();
        for node in nodes {
            if !matches!(node.op, Op::Concat) {
                steps.push(node);
                continue;
            }
            let to = tensors[node.output];
            let mut offset = 0;
            for member in node.inputs {
                let from = tensors[member];
                let same = from.scale == to.scale && from.zero_point == to.zero_point;
                if same
                    && readers[member] == 1
                    && member != 0
                    && home[member].is_none()
                    && !dense.contains(&member)
                {
                    home[member] = Some((node.output, offset));
                } else {
                    let clamp = Clamp { zero_point: to.zero_point, lo: 0, hi: 255 };
                    tensors.push(Tensor { shape: from.shape, ..to });
                    home.push(Some((node.output, offset)));
                    let op = Op::Requantise { scale: from.scale / to.scale, clamp };
                    steps.push(Node {
                        name: node.name.clone(),
                        op,
                        inputs: vec![member],
                        output: tensors.len() - 1,
                    });
                }
                offset += from.shape.c;
            }
        }
        let place = |mut id: usize| {
            let mut offset = 0;
            while let Some((root, at)) = home[id] {
                (id, offset) = (root, offset + at);
            }
            (id, offset)
        };
        // Last step that reads each buffer's tensor.
        let mut last = vec![0usize; tensors.len()];
        for (i, step) in steps.iter().enumerate() {
            for input in &step.inputs {
                last[place(*input).0] = i;
            }
            let root = place(step.output).0;
            last[root] = last[root].max(i);
        }
        for output in outputs {
            last[place(*output).0] = usize::MAX;
        }
        let mut slots: Vec<usize> = Vec::new();
        let mut free: Vec<usize> = Vec::new();
        let mut slot_of: Vec<Option<usize>> = vec![None; tensors.len()];
        let mut live: Vec<usize> = Vec::new();
        let claim = |id: usize, slots: &mut Vec<usize>, free: &mut Vec<usize>| {
            let need = tensors[id].shape.len();
            // The smallest that is large enough, else the largest, which grows.
            let fit = (0..free.len()).min_by_key(|i| {
                let size = slots[free[*i]];
                if size >= need { (0, size) } else { (1, usize::MAX - size) }
            });
            let slot = match fit {
                Some(i) => free.swap_remove(i),
                None => {
                    slots.push(0);
                    slots.len() - 1
                }
            };
            slots[slot] = slots[slot].max(need);
            slot
        };
        if tensors.is_empty() {
            return Err(BadLayer("the program has no input".into()));
        }
        slot_of[0] = Some(claim(0, &mut slots, &mut free));
        live.push(0);
        let mut program = Vec::with_capacity(steps.len());
        for (i, step) in steps.into_iter().enumerate() {
            let (root, offset) = place(step.output);
            if slot_of[root].is_none() {
                slot_of[root] = Some(claim(root, &mut slots, &mut free));
                live.push(root);
            }
            let slot = |id: usize| {
                slot_of[id].ok_or_else(|| {
                    BadLayer(format!("node {:?} reads what nothing has written", step.name))
                })
            };
            let mut inputs = Vec::with_capacity(step.inputs.len());
            for input in &step.inputs {
                if place(*input) != (*input, 0) {
                    return Err(BadLayer(format!(
                        "node {:?} reads a part of a concatenation",
                        step.name
                    )));
                }
                inputs.push((slot(*input)?, tensors[*input].shape));
            }
            let shape = tensors[step.output].shape;
            program.push(Step {
                output: (slot(root)?, shape, tensors[root].shape.c, offset),
                zero_point: step.inputs.first().map_or(0, |id| tensors[*id].zero_point),
                name: step.name,
                op: step.op,
                inputs,
            });
            live.retain(|id| {
                let done = last[*id] <= i;
                if done {
                    free.extend(slot_of[*id]);
                }
                !done
            });
        }
        let bytes: u64 = slots.iter().map(|slot| *slot as u64).sum();
        if bytes > MAX_MAPS as u64 {
            return Err(BadLayer(format!("the network's maps take {bytes} bytes")));
        }
        let outputs = outputs
            .iter()
            .map(|id| match (slot_of[*id], place(*id)) {
                (Some(slot), (root, 0)) if root == *id => Ok((slot, tensors[*id])),
                _ => Err(BadLayer("an output is part of a concatenation or not computed".into())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Program {
            input: tensors[0],
            input_slot: slot_of[0].unwrap_or(0),
            steps: program,
            slots,
            outputs,
        })
    }
}

#[derive(Debug)]
struct Step {
    name: String,
    op: Op,
    inputs: Vec<(usize, Shape)>,
    /// Code of zero in the first input.
    zero_point: u8,
    /// Slot, shape, bytes of a pixel, first channel.
    output: (usize, Shape, usize, usize),
}

/// A quantised network, ready to run. Immutable; what a run needs is in a [`State`].
#[derive(Debug)]
pub(crate) struct Program {
    input: Tensor,
    input_slot: usize,
    steps: Vec<Step>,
    /// Bytes of each buffer.
    slots: Vec<usize>,
    outputs: Vec<(usize, Tensor)>,
}

/// The buffers of one run; kept for the next.
#[derive(Debug, Default)]
pub(crate) struct State {
    slots: Vec<Vec<u8>>,
    scratch: Vec<Scratch>,
}

/// An output: `[h][w][c]` codes and their meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map<'a> {
    pub(crate) tensor: Tensor,
    pub(crate) codes: &'a [u8],
}

impl Map<'_> {
    /// Real values, HWC.
    pub(crate) fn values(&self) -> Vec<f32> {
        let zero = i32::from(self.tensor.zero_point);
        let table: [f32; 256] =
            std::array::from_fn(|code| (code as i32 - zero) as f32 * self.tensor.scale);
        self.codes.iter().map(|code| table[usize::from(*code)]).collect()
    }
}

impl Program {
    /// Shape and meaning of the input.
    pub(crate) fn input(&self) -> Tensor {
        self.input
    }

    /// Meaning of the outputs, in order.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = Tensor> {
        self.outputs.iter().map(|(_, tensor)| *tensor)
    }

    /// Names of the nodes, what runs them and their multiplications: textbook's and done.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&str, String, u64, u64)> {
        self.steps.iter().map(|step| {
            let (kind, macs, products) = match &step.op {
                Op::Conv(conv) => {
                    let (isa, winograd) = conv.variant();
                    let method = if winograd { "Winograd" } else { "direct" };
                    (format!("convolution, {isa:?} {method}"), conv.macs(), conv.products())
                }
                Op::Depthwise(conv) => ("depthwise convolution".into(), conv.macs(), conv.macs()),
                Op::MaxPool(_) => ("max pool".into(), 0, 0),
                Op::AveragePool { .. } => ("average pool".into(), 0, 0),
                Op::Add(_) => ("sum".into(), 0, 0),
                Op::Multiply(_) => ("product".into(), 0, 0),
                Op::Table(_) => ("table".into(), 0, 0),
                Op::Pad { .. } => ("padding".into(), 0, 0),
                Op::Requantise { .. } | Op::Concat => ("change of scale".into(), 0, 0),
            };
            (step.name.as_str(), kind, macs, products)
        })
    }

    /// The multiplications of the convolutions, by inner loop.
    pub(crate) fn work(&self) -> Vec<Work> {
        let mut all: Vec<Work> = Vec::new();
        for step in &self.steps {
            if let Op::Conv(conv) = &step.op {
                let variant = format!("{:?}", conv.variant().0);
                let (macs, products) = (conv.macs(), conv.products());
                match all.iter_mut().find(|work| work.variant == variant) {
                    Some(work) => {
                        work.macs += macs;
                        work.products += products;
                    }
                    None => all.push(Work { variant, macs, products }),
                }
            }
        }
        all
    }

    /// Bytes: packed weights, maps of one run, work space of one thread.
    pub(crate) fn memory(&self) -> (usize, usize, usize) {
        let mut weights = 0;
        let mut scratch = 0;
        for step in &self.steps {
            match &step.op {
                Op::Conv(conv) => {
                    weights += conv.bytes();
                    scratch = scratch.max(conv.scratch_bytes());
                }
                Op::Depthwise(conv) => weights += conv.bytes(),
                Op::Table(tables) => weights += tables.len() * 256,
                _ => {}
            }
        }
        (weights, self.slots.iter().sum(), scratch)
    }

    /// Runs the network on `input` codes (HWC) and gives its outputs.
    ///
    /// # Panics
    ///
    /// When the input's length is wrong; the caller checks it.
    pub(crate) fn run<'s>(
        &self,
        input: &[u8],
        state: &'s mut State,
        split: &dyn Split,
    ) -> Vec<Map<'s>> {
        self.run_timed(input, state, split, &mut |_| {})
    }

    /// As [`Program::run`], calling `after` with each step's number.
    pub(crate) fn run_timed<'s>(
        &self,
        input: &[u8],
        state: &'s mut State,
        split: &dyn Split,
        after: &mut dyn FnMut(usize),
    ) -> Vec<Map<'s>> {
        assert!(input.len() == self.input.shape.len(), "input of {} bytes", input.len());
        state.slots.resize_with(self.slots.len(), Vec::new);
        for (slot, size) in state.slots.iter_mut().zip(&self.slots) {
            slot.resize(*size, 0);
        }
        state.scratch.resize_with(split.width().max(1), Scratch::default);
        state.slots[self.input_slot][..input.len()].copy_from_slice(input);
        for (i, step) in self.steps.iter().enumerate() {
            let (slot, shape, stride, offset) = step.output;
            let mut buffer = std::mem::take(&mut state.slots[slot]);
            let out = &mut buffer[..shape.h * shape.w * stride];
            let read = |i: usize| {
                let (slot, shape) = step.inputs[i];
                (&state.slots[slot][..shape.len()], shape)
            };
            step.run(&read, out, (shape, stride, offset), &mut state.scratch, split);
            state.slots[slot] = buffer;
            after(i);
        }
        self.outputs
            .iter()
            .map(|(slot, tensor)| Map {
                tensor: *tensor,
                codes: &state.slots[*slot][..tensor.shape.len()],
            })
            .collect()
    }
}

impl Step {
    fn run<'a>(
        &self,
        read: &(dyn Fn(usize) -> (&'a [u8], Shape) + Sync),
        out: &mut [u8],
        (shape, stride, offset): (Shape, usize, usize),
        scratch: &mut [Scratch],
        split: &dyn Split,
    ) {
        // Parts of whole steps of rows, as even as that allows.
        let step = if let Op::Conv(conv) = &self.op { conv.row_step() } else { 1 };
        let width = split.width().min(scratch.len()).max(1);
        let rows = shape.h.div_ceil(step).div_ceil(width) * step;
        let line = shape.w * stride;
        let parts: Vec<Mutex<(&mut [u8], &mut Scratch)>> =
            out.chunks_mut(rows * line).zip(scratch).map(Mutex::new).collect();
        split.run(parts.len(), &|part| {
            // Each part is taken once; a poisoned lock would mean that a kernel has panicked already.
            let mut guard = parts[part].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (data, scratch) = &mut *guard;
            let range = part * rows..((part + 1) * rows).min(shape.h);
            let (input, input_shape) = read(0);
            let mut out = Rows { data, stride, offset };
            match &self.op {
                Op::Conv(conv) => conv.run(input, range, &mut out, scratch),
                Op::Depthwise(conv) => conv.run(input, range, &mut out),
                Op::MaxPool(window) => max_pool(input_shape, window, input, range, &mut out),
                Op::AveragePool { window, include_pad, scale, clamp } => {
                    average_pool(
                        input_shape,
                        window,
                        *include_pad,
                        self.zero_point,
                        *scale,
                        *clamp,
                        input,
                        range,
                        &mut out,
                    );
                }
                Op::Add(p) => {
                    let at = range.start * shape.w * shape.c..range.end * shape.w * shape.c;
                    let (a, b) = (&input[at.clone()], &read(1).0[at]);
                    add(p, a, b, out.data);
                }
                Op::Multiply(p) => {
                    let at = range.start * shape.w * shape.c..range.end * shape.w * shape.c;
                    let (b, other) = read(1);
                    // One pixel for all, or row by row as the other.
                    let b = if other.h * other.w == 1 { b } else { &b[at.clone()] };
                    multiply(p, shape.c, &input[at], b, &mut out);
                }
                Op::Table(tables) => {
                    let at = range.start * shape.w * shape.c..range.end * shape.w * shape.c;
                    look_up(shape.c, tables, &input[at], &mut out);
                }
                Op::Pad { before, code } => {
                    pad(input_shape, *before, shape.w, *code, input, range, &mut out);
                }
                Op::Requantise { scale, clamp } => {
                    let at = range.start * shape.w * shape.c..range.end * shape.w * shape.c;
                    requantise_map(shape.c, self.zero_point, *scale, *clamp, &input[at], &mut out);
                }
                Op::Concat => {}
            }
        });
    }
}
