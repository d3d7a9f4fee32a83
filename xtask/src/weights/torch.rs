//! Reads a checkpoint of named tensors as PyTorch wrote it before version 1.6: four pickles (a
//! magic number, a version, the system's sizes, the tensors' shapes), the list of storages, and
//! then their values.
//!
//! The pickles are read as data: nothing in them is executed, and what these files do not use is
//! refused.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;

/// A tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// The tensors of `f32` in a checkpoint by name; those of other types (counters) are left out.
pub fn read(bytes: &[u8]) -> Result<HashMap<String, Tensor>> {
    let mut reader = Reader { bytes, at: 0 };
    let magic = reader.pickle().context("not a checkpoint")?;
    ensure!(magic == Value::Bytes(MAGIC.to_vec()), "not a checkpoint of the old PyTorch format");
    ensure!(reader.pickle()? == Value::Int(VERSION), "a checkpoint of an unknown version");
    let Value::Dict(system) = reader.pickle()? else { bad("the system's sizes")? };
    ensure!(
        system.contains(&(Value::Text("little_endian".into()), Value::Bool(true))),
        "written on a big-endian machine"
    );
    let Value::Dict(entries) = reader.pickle()? else { bad("the list of tensors")? };
    let Value::List(keys) = reader.pickle()? else { bad("the list of storages")? };

    let mut views = Vec::new();
    let mut storages: HashMap<String, (String, usize)> = HashMap::new();
    for (name, value) in entries {
        let Value::Text(name) = name else { bad("a tensor's name")? };
        let view = view(value).with_context(|| format!("tensor {name}"))?;
        storages.insert(view.storage.clone(), (view.kind.clone(), view.count));
        views.push((name, view));
    }
    let mut values: HashMap<String, Vec<f32>> = HashMap::new();
    for key in keys {
        let Value::Text(key) = key else { bad("a storage's name")? };
        let (kind, count) =
            storages.get(&key).with_context(|| format!("storage {key} is unused"))?;
        let stored = u64::from_le_bytes(reader.array()?);
        ensure!(stored == *count as u64, "storage {key} has {stored} values, not {count}");
        let width = match kind.as_str() {
            "FloatStorage" | "IntStorage" => 4,
            "LongStorage" | "DoubleStorage" => 8,
            other => bail!("storage {key} is a {other}"),
        };
        let bytes = reader.take(count.checked_mul(width).context("too large")?)?;
        if kind == "FloatStorage" {
            let floats =
                bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            values.insert(key, floats.collect());
        }
    }
    ensure!(reader.at == bytes.len(), "{} bytes too many", bytes.len() - reader.at);
    let mut tensors = HashMap::new();
    for (name, view) in views {
        if view.kind == "FloatStorage" {
            let storage = values.get(&view.storage).context("a storage is not there")?;
            let tensor = view.of(storage).with_context(|| format!("tensor {name}"))?;
            tensors.insert(name, tensor);
        }
    }
    Ok(tensors)
}

fn bad<T>(what: &str) -> Result<T> {
    bail!("{what} is of another form than expected")
}

/// A tensor as a window on a storage.
struct View {
    kind: String,
    storage: String,
    /// Values in the storage.
    count: usize,
    offset: usize,
    shape: Vec<usize>,
    /// Steps in the storage, per dimension.
    strides: Vec<usize>,
}

impl View {
    /// The values row by row, in whatever order the storage holds them.
    fn of(&self, storage: &[f32]) -> Result<Tensor> {
        let len =
            self.shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).context("too large")?;
        ensure!(len <= storage.len(), "reaches beyond its storage");
        let mut values = Vec::with_capacity(len);
        for number in 0..len {
            let (mut rest, mut at) = (number, self.offset);
            for (&dim, &stride) in self.shape.iter().zip(&self.strides).rev() {
                let step = (rest % dim).checked_mul(stride).context("too large")?;
                at = at.checked_add(step).context("too large")?;
                rest /= dim;
            }
            values.push(*storage.get(at).context("reaches beyond its storage")?);
        }
        ensure!(values.iter().all(|v| v.is_finite()), "holds values that are not finite");
        Ok(Tensor { shape: self.shape.clone(), values })
    }
}

/// `_rebuild_tensor_v2(storage, offset, shape, strides, ...)`, as a call that is only looked at.
fn view(value: Value) -> Result<View> {
    let Value::Call(function, arguments) = value else { bad("the tensor")? };
    ensure!(*function == Value::Global("torch._utils _rebuild_tensor_v2".into()), "not a tensor");
    let Value::Tuple(arguments) = *arguments else { bad("the tensor")? };
    let [
        Value::Storage(storage),
        Value::Int(offset),
        Value::Tuple(shape),
        Value::Tuple(strides),
        ..,
    ] = arguments.as_slice()
    else {
        bad("the tensor")?
    };
    let Value::Tuple(storage) = storage.as_ref() else { bad("the storage")? };
    let [_, Value::Global(kind), Value::Text(key), _, Value::Int(count), ..] = storage.as_slice()
    else {
        bad("the storage")?
    };
    let whole = |values: &[Value]| -> Result<Vec<usize>> {
        let size = |v: &Value| match v {
            Value::Int(i) => usize::try_from(*i).context("negative"),
            _ => bad("a dimension"),
        };
        values.iter().map(size).collect()
    };
    let (shape, strides) = (whole(shape)?, whole(strides)?);
    ensure!(shape.len() == strides.len(), "dimensions and strides differ in number");
    Ok(View {
        kind: kind.strip_prefix("torch ").unwrap_or(kind).to_owned(),
        storage: key.clone(),
        count: usize::try_from(*count).context("negative")?,
        offset: usize::try_from(*offset).context("negative")?,
        shape,
        strides,
    })
}

/// What a pickle says, without doing it.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A number too long for `Int`, little-endian.
    Bytes(Vec<u8>),
    Text(String),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// `module name`.
    Global(String),
    /// A function and its arguments.
    Call(Box<Value>, Box<Value>),
    /// Something that lies outside of the pickle.
    Storage(Box<Value>),
    Mark,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.with_context(|| format!("cut short at byte {}", self.bytes.len()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn len(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').context("cut short in a name")?;
        let line = std::str::from_utf8(self.take(end)?)?;
        self.at += 1;
        Ok(line)
    }

    /// The next pickle; opcodes are those of Python's pickletools.
    fn pickle(&mut self) -> Result<Value> {
        let mut stack: Vec<Value> = Vec::new();
        let mut memo: HashMap<usize, Value> = HashMap::new();
        loop {
            let at = self.at;
            match self.byte()? {
                // PROTO
                0x80 => ensure!(self.byte()? <= 3, "a pickle of an unknown protocol"),
                // STOP
                b'.' => return pop(&mut stack),
                b'N' => stack.push(Value::None),
                // NEWTRUE, NEWFALSE
                0x88 => stack.push(Value::Bool(true)),
                0x89 => stack.push(Value::Bool(false)),
                // BININT, BININT1, BININT2
                b'J' => stack.push(Value::Int(i32::from_le_bytes(self.array()?).into())),
                b'K' => stack.push(Value::Int(self.byte()?.into())),
                b'M' => stack.push(Value::Int(u16::from_le_bytes(self.array()?).into())),
                // LONG1
                0x8a => {
                    let len = self.byte()?.into();
                    stack.push(Value::Bytes(self.take(len)?.to_vec()));
                }
                // BINUNICODE
                b'X' => {
                    let len = self.len()?;
                    stack.push(Value::Text(std::str::from_utf8(self.take(len)?)?.to_owned()));
                }
                // GLOBAL
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    stack.push(Value::Global(format!("{module} {name}")));
                }
                b'(' => stack.push(Value::Mark),
                b')' => stack.push(Value::Tuple(vec![])),
                b'}' => stack.push(Value::Dict(vec![])),
                b']' => stack.push(Value::List(vec![])),
                // TUPLE, TUPLE1, TUPLE2, TUPLE3
                b't' => {
                    let items = since_mark(&mut stack)?;
                    stack.push(Value::Tuple(items));
                }
                op @ 0x85..=0x87 => {
                    let start = stack.len().checked_sub(usize::from(op - 0x84));
                    let items = stack.split_off(start.context("an empty stack")?);
                    stack.push(Value::Tuple(items));
                }
                // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
                b'q' => drop(memo.insert(self.byte()?.into(), top(&mut stack)?.clone())),
                b'r' => drop(memo.insert(self.len()?, top(&mut stack)?.clone())),
                b'h' => stack.push(recall(&memo, self.byte()?.into())?),
                b'j' => stack.push(recall(&memo, self.len()?)?),
                // BINPERSID
                b'Q' => {
                    let id = pop(&mut stack)?;
                    stack.push(Value::Storage(Box::new(id)));
                }
                // REDUCE
                b'R' => {
                    let arguments = pop(&mut stack)?;
                    let called = match pop(&mut stack)? {
                        Value::Global(name) if name == "collections OrderedDict" => {
                            Value::Dict(vec![])
                        }
                        function => Value::Call(Box::new(function), Box::new(arguments)),
                    };
                    stack.push(called);
                }
                // BUILD: an attribute of the dictionary, of no use here.
                b'b' => drop(pop(&mut stack)?),
                // SETITEM, SETITEMS
                b's' => {
                    let value = pop(&mut stack)?;
                    let key = pop(&mut stack)?;
                    dict(&mut stack)?.push((key, value));
                }
                b'u' => {
                    let mut items = since_mark(&mut stack)?.into_iter();
                    let target = dict(&mut stack)?;
                    while let (Some(key), Some(value)) = (items.next(), items.next()) {
                        target.push((key, value));
                    }
                }
                // APPENDS
                b'e' => {
                    let items = since_mark(&mut stack)?;
                    match top(&mut stack)? {
                        Value::List(list) => list.extend(items),
                        _ => bad("a list")?,
                    }
                }
                other => bail!("opcode {other:#04x} at byte {at} is not one of a checkpoint's"),
            }
        }
    }
}

fn pop(stack: &mut Vec<Value>) -> Result<Value> {
    stack.pop().context("an empty stack")
}

fn top(stack: &mut [Value]) -> Result<&mut Value> {
    stack.last_mut().context("an empty stack")
}

fn dict(stack: &mut [Value]) -> Result<&mut Vec<(Value, Value)>> {
    match top(stack)? {
        Value::Dict(entries) => Ok(entries),
        _ => bad("a dictionary"),
    }
}

fn since_mark(stack: &mut Vec<Value>) -> Result<Vec<Value>> {
    let mark = stack.iter().rposition(|v| *v == Value::Mark).context("no mark")?;
    let items = stack.split_off(mark + 1);
    stack.pop();
    Ok(items)
}

fn recall(memo: &HashMap<usize, Value>, key: usize) -> Result<Value> {
    memo.get(&key).cloned().with_context(|| format!("nothing was kept as {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint of one 2x2 tensor "w" and a counter "n".
    fn checkpoint() -> Vec<u8> {
        let mut file = vec![0x80, 2, 0x8a, 10];
        file.extend(MAGIC);
        file.extend(b".\x80\x02M\xe9\x03.");
        let text = |s: &str| {
            let mut out = vec![b'X'];
            out.extend((s.len() as u32).to_le_bytes());
            out.extend(s.as_bytes());
            out
        };
        file.extend(b"\x80\x02}q\x00(");
        file.extend(text("little_endian"));
        file.extend(b"\x88u.");
        file.extend(b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(");
        let tensor = |name: &str, kind: &str, key: &str, count: u8, shape: &[u8], stride: &[u8]| {
            let mut out = text(name);
            out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            out.extend(text("storage"));
            out.extend(format!("ctorch\n{kind}\n").bytes());
            out.extend(text(key));
            out.extend(text("cpu"));
            out.extend([b'K', count, b'N', b't', b'Q', b'K', 0]);
            for dims in [shape, stride] {
                out.push(b'(');
                dims.iter().for_each(|&d| out.extend([b'K', d]));
                out.push(b't');
            }
            out.extend(b"\x89h\x00)RtR");
            out
        };
        file.extend(tensor("w", "FloatStorage", "a", 4, &[2, 2], &[2, 1]));
        file.extend(tensor("n", "LongStorage", "b", 1, &[], &[]));
        file.extend(b"u}b.");
        file.extend(b"\x80\x02](");
        file.extend(text("a"));
        file.extend(text("b"));
        file.extend(b"e.");
        file.extend(4u64.to_le_bytes());
        for value in [1f32, -2.0, 3.5, 0.25] {
            file.extend(value.to_le_bytes());
        }
        file.extend(1u64.to_le_bytes());
        file.extend(7u64.to_le_bytes());
        file
    }

    #[test]
    fn tensors_come_by_name() -> Result<()> {
        let tensors = read(&checkpoint())?;
        assert_eq!(tensors.len(), 1);
        let expected = Tensor { shape: vec![2, 2], values: vec![1.0, -2.0, 3.5, 0.25] };
        assert_eq!(tensors["w"], expected);
        Ok(())
    }

    #[test]
    fn strides_are_followed() -> Result<()> {
        let turned = View {
            kind: String::new(),
            storage: String::new(),
            count: 4,
            offset: 0,
            shape: vec![2, 2],
            strides: vec![1, 2],
        };
        assert_eq!(turned.of(&[1.0, 2.0, 3.0, 4.0])?.values, [1.0, 3.0, 2.0, 4.0]);
        assert!(View { strides: vec![usize::MAX, 1], ..turned }.of(&[0.0; 4]).is_err());
        Ok(())
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_an_error_or_a_checkpoint_but_no_panic() {
        let whole = checkpoint();
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            for byte in [0, b'.', b'R', b'u', 0x87, 0xff] {
                let mut broken = whole.clone();
                broken[at] = byte;
                let _ = read(&broken);
            }
        }
        assert!(read(&[whole, vec![0]].concat()).is_err(), "bytes left over");
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let mut file = checkpoint();
        let at = file.len() - 16 - 16;
        file[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(format!("{:#}", read(&file).expect_err("NaN")).contains("not finite"));
    }
}
