//! The bindings for JavaScript: the only module that names JS types. It translates and times;
//! everything else is in [`crate::engine`].

use js_sys::{Error as JsError, Reflect};
use serde::Serialize;
use serde_json::Value;
use wasm_bindgen::prelude::*;

use crate::area::Rect;
use crate::engine::{Engine, Hit, Next};
use crate::error::{Error, ErrorKind};
use crate::explain::HeatMap;
use crate::image::{Limits, Picture, preview, sniff};
use crate::index::GroupKey;
#[cfg(not(target_feature = "atomics"))]
use crate::kernels::Alone;
use crate::kernels::Split;
#[cfg(target_feature = "atomics")]
use crate::kernels::Team;
use crate::manifest::Role;
use crate::mask::Mask;
use crate::query::{Query, View};
use crate::things::Thing;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A category, or one value of an attribute column. */
export interface Group { column: string; value: string }
/** Any of the listed values in every named column; both ends of `price` are included. */
export interface Filter {
  category?: string[]; availability?: string[]; price?: { min?: number; max?: number };
  attributes?: Record<string, string[]>;
}
/** From one group (the mean of its column's groups if absent) to another; 0.1 to 0.9 is usual, 0.5 brings about half. */
export interface Toward { from?: Group | null; to: Group; strength: number }
/** Starts from one of `photo`, `productId` and `embedding`, or else from the mean of `like`. */
export interface Query {
  /** The photo of `setPhoto`, whole or without what the mask takes out. */
  photo?: "whole" | "masked";
  /** Similar to this product's main picture; it is not among the hits, with none of its pictures. */
  productId?: string;
  embedding?: number[];
  /** 0 the whole photo, 1 the masked one, beyond goes on; only with the masked photo. */
  walk?: number;
  toward?: Toward[];
  /** Ids: more like these; less like these, which are not among the hits. */
  like?: string[]; unlike?: string[];
  filter?: Filter;
  /** -1 to 1; hits below are left out. */
  minScore?: number;
  /** Every variant is a hit; else a group of them takes one place, by its best picture: the variant that owns it is the
   * hit and names the others. */
  variants?: boolean;
  /** How many hits, 1 to 1000; 20 if absent. A group of variants is one. */
  k?: number;
}
export interface Product {
  id: string; title: string; url?: string;
  /** The main one first. `image` as the feed names it, `thumb` relative to the manifest. */
  images?: { image: string; thumb?: string }[];
  /** What a shopper pays, and before a sale. */
  price?: number; listPrice?: number;
  currency?: string; category?: string;
  availability?: "in_stock" | "out_of_stock" | "preorder" | "backorder";
  attributes?: Record<string, string>;
  /** Id of the product that stands for it and its other variants. */
  variantOf?: string;
}
/** A product: its `score` is the cosine of its best picture, -1 to 1, which is `product.images[image]`.
 * `variants` are ids of products that show the same thing and are no hits of their own. */
export interface Hit { row: number; id: string; score: number; product: Product; image: number; variants?: string[] }
/** `ms`: milliseconds spent in the network (0 if its result was known) and in the index. */
export interface Answer { hits: Hit[]; ms: { embed: number; search: number } }
export interface FilePart { path: string; bytes: number; sha256: string }
/** Paths are relative to the manifest. With `parts`, those are fetched and joined instead. */
/** Hashes of consecutive pieces of `bytes` bytes each, the last of what is left: to be compared while a file arrives. */
export interface FileBlocks { bytes: number; sha256: string[] }
export interface FileEntry {
  role: "model" | "index" | "products";
  path: string; bytes: number; sha256: string; parts?: FilePart[]; blocks?: FileBlocks;
}
/** A part of the photo, in fractions of its width and height, 0 to 1. */
export interface Rect { x0: number; y0: number; x1: number; y1: number }
/** Row by row; positive cells speak for the match, negative ones against it. `rect` is what of the photo they cover. */
export interface HeatMap { width: number; height: number; values: number[]; rect: Rect }
/** Around a thing in the photo, and what leaves it alone: 255 = taken out, a coarse mask of the whole photo. */
export interface Thing { box: Rect; outline: { width: number; height: number; coverage: Uint8Array } }
/** A thing in the photo, and the product most like it. */
export interface FoundThing { thing: Thing; id: string; title: string; score: number }
export interface PictureHeader { format: string; width: number; height: number }
/** Multiplications of one run of the network on one kind of inner loop: as the textbook counts them, and done. */
export interface Work { variant: string; macs: number; products: number }
/** Every method throws errors of this shape. */
export interface LookalikeError extends Error {
  kind: "bad-picture" | "cut-off" | "unsupported" | "too-large" | "bad-model" | "bad-index" | "bad-catalog"
    | "bad-file" | "mismatch" | "bad-query" | "not-ready" | "io" | "internal";
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Query")]
    pub type JsQuery;
    #[wasm_bindgen(typescript_type = "Answer")]
    pub type JsAnswer;
    #[wasm_bindgen(typescript_type = "{ query: Query; leftOut: string[] }")]
    pub type JsFit;
    #[wasm_bindgen(typescript_type = "FileEntry[]")]
    pub type JsFiles;
    #[wasm_bindgen(typescript_type = "PictureHeader")]
    pub type JsHeader;
    #[wasm_bindgen(
        typescript_type = "(Group & { count: number; coherence: number; offered: boolean })[]"
    )]
    pub type JsGroups;
    #[wasm_bindgen(typescript_type = "{ photo: \"whole\" | \"masked\"; image?: number }")]
    pub type JsExplain;
    #[wasm_bindgen(typescript_type = "HeatMap")]
    pub type JsHeatMap;
    #[wasm_bindgen(typescript_type = "Rect")]
    pub type JsRect;
    #[wasm_bindgen(typescript_type = "Rect[]")]
    pub type JsRects;
    #[wasm_bindgen(typescript_type = "Thing | undefined")]
    pub type JsThing;
    #[wasm_bindgen(typescript_type = "FoundThing | null | undefined")]
    pub type JsFound;
    #[wasm_bindgen(typescript_type = "Product")]
    pub type JsProduct;
    #[wasm_bindgen(typescript_type = "Work[]")]
    pub type JsWork;
}

#[derive(Serialize)]
struct Timing {
    embed: f64,
    search: f64,
}

#[derive(Serialize)]
struct Answer<'a> {
    hits: Vec<Hit<'a>>,
    ms: Timing,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fit {
    query: Query,
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct GroupInfo<'a> {
    #[serde(flatten)]
    key: &'a GroupKey,
    count: u32,
    coherence: f32,
    offered: bool,
}

#[derive(Serialize)]
struct Heat {
    width: usize,
    height: usize,
    values: Vec<f32>,
    rect: Rect,
}

#[derive(Serialize)]
struct Outline {
    width: u32,
    height: u32,
}

fn to_thing(Thing { rect, mask }: &Thing) -> Result<JsValue, JsValue> {
    let outline = Outline { width: mask.width(), height: mask.height() };
    let thing: JsValue = to_js(&Place { r#box: *rect, outline })?;
    let coverage = js_sys::Uint8Array::from(mask.coverage());
    Reflect::set(&Reflect::get(&thing, &"outline".into())?, &"coverage".into(), &coverage)?;
    Ok(thing)
}

#[derive(Serialize)]
struct Like<'a> {
    id: &'a str,
    title: &'a str,
    score: f32,
}

#[derive(Serialize)]
struct Place {
    r#box: Rect,
    outline: Outline,
}

#[derive(Serialize)]
struct Header {
    format: &'static str,
    width: u32,
    height: u32,
}

/// A catalogue that can be searched; `Engine` of the Rust crate.
#[wasm_bindgen]
pub struct LookalikeEngine(Engine);

#[wasm_bindgen]
impl LookalikeEngine {
    /// From the bytes of `manifest.json`.
    #[wasm_bindgen(constructor)]
    pub fn new(manifest: &[u8]) -> Result<Self, JsValue> {
        Engine::new(manifest).map(|engine| Self(engine.with_threads(threads()))).map_err(thrown)
    }

    /// How many threads share the network's layers now.
    #[wasm_bindgen(getter, js_name = threads)]
    pub fn threads(&self) -> usize {
        threads().width()
    }

    /// What to fetch.
    pub fn files(&self) -> Result<JsFiles, JsValue> {
        to_js(&self.0.manifest().files)
    }

    /// Takes in a file after checking its size and hash. `sha256` is its hash in hexadecimal where the
    /// caller has computed it (`crypto.subtle` is several times faster), whose word is taken for it.
    pub fn provide(
        &mut self,
        role: &str,
        bytes: Vec<u8>,
        sha256: Option<String>,
    ) -> Result<(), JsValue> {
        let role: Role = role.parse().map_err(thrown)?;
        self.0.provide(role, bytes, sha256.as_deref()).map_err(thrown)
    }

    /// Whether photos can be searched with.
    #[wasm_bindgen(getter, js_name = photoReady)]
    pub fn photo_ready(&self) -> bool {
        self.0.network().is_some() && self.product_ready()
    }

    /// Whether products can be searched with.
    #[wasm_bindgen(getter, js_name = productReady)]
    pub fn product_ready(&self) -> bool {
        self.0.index().is_some() && self.0.products().is_some()
    }

    /// The format of a file by its first 512 bytes and its size; throws for what need not be read.
    pub fn preview(head: &[u8], bytes: f64) -> Result<String, JsValue> {
        let format = preview(head, bytes as u64, &Limits::default()).map_err(thrown)?;
        Ok(format.as_str().into())
    }

    /// Looks at a picture file without decoding it; throws for what should not be decoded: no
    /// picture, damaged, cut off, too large. Sides are 0 where the browser alone can know them.
    pub fn sniff(bytes: &[u8]) -> Result<JsHeader, JsValue> {
        let header = sniff(bytes, &Limits::default()).map_err(thrown)?;
        let format = header.format.as_str();
        to_js(&Header { format, width: header.width, height: header.height })
    }

    /// The photo: 8-bit straight-alpha RGBA as in `ImageData`, kept at no more than 1024 pixels a side.
    /// Forgets the mask.
    #[wasm_bindgen(js_name = setPhoto)]
    pub fn set_photo(&mut self, rgba: &[u8], width: u32, height: u32) -> Result<(), JsValue> {
        self.0.set_photo(Picture::from_rgba(width, height, rgba).map_err(thrown)?).map_err(thrown)
    }

    /// One byte a pixel, 255 takes it out; any size, it is scaled to the photo. `undefined` takes
    /// out nothing.
    #[wasm_bindgen(js_name = setMask)]
    pub fn set_mask(
        &mut self,
        coverage: Option<Vec<u8>>,
        width: u32,
        height: u32,
    ) -> Result<(), JsValue> {
        let mask = coverage.map(|c| Mask::new(width, height, c)).transpose().map_err(thrown)?;
        self.0.set_mask(mask).map_err(thrown)
    }

    /// Forgets photo and mask.
    #[wasm_bindgen(js_name = clearPhoto)]
    pub fn clear_photo(&mut self) {
        self.0.clear_photo();
    }

    /// Answers a query.
    pub fn search(&mut self, query: JsQuery) -> Result<JsAnswer, JsValue> {
        let query = read(query)?;
        let start = now();
        if let Some(view) = query.photo {
            self.0.embed(view).map_err(thrown)?;
        }
        let embedded = now();
        let hits = self.0.search(&query).map_err(thrown)?;
        let ms = Timing { embed: embedded - start, search: now() - embedded };
        to_js(&Answer { hits, ms })
    }

    /// What of a query fits this catalogue, and in words what does not.
    pub fn fit(&self, query: JsQuery) -> Result<JsFit, JsValue> {
        let (query, left_out) = self.0.fit(&read(query)?).map_err(thrown)?;
        to_js(&Fit { query, left_out })
    }

    /// The groups that directions run between: `offered` are those whose centroid says something.
    pub fn groups(&self) -> Result<JsGroups, JsValue> {
        let groups: Vec<GroupInfo<'_>> = self
            .0
            .index()
            .map_or(&[][..], |index| index.groups())
            .iter()
            .map(|g| GroupInfo {
                key: &g.key,
                count: g.count,
                coherence: g.coherence,
                offered: g.offered,
            })
            .collect();
        to_js(&groups)
    }

    /// The photo's embedding, `[dim]`, L2 norm 1.
    pub fn embed(&mut self, masked: bool) -> Result<Vec<f32>, JsValue> {
        let view = if masked { View::Masked } else { View::Whole };
        Ok(self.0.embed(view).map_err(thrown)?.as_slice().to_vec())
    }

    /// What lies at a point of the photo, in fractions of it; `undefined` on a plain ground.
    #[wasm_bindgen(js_name = thingAt)]
    pub fn thing_at(&self, x: f32, y: f32) -> Result<JsThing, JsValue> {
        match self.0.thing_at(x, y).map_err(thrown)? {
            Some(thing) => Ok(to_thing(&thing)?.unchecked_into()),
            None => Ok(JsValue::UNDEFINED.unchecked_into()),
        }
    }

    /// Looks at one window of the photo, by number from 0, the most promising first: the thing there if
    /// the catalogue has something like it, `null` if not, `undefined` behind the last. What overlaps a
    /// thing that was found already is not found again.
    #[wasm_bindgen(js_name = lookAt)]
    pub fn look_at(&mut self, window: u32, found: JsRects) -> Result<JsFound, JsValue> {
        let found: Vec<Rect> = serde_wasm_bindgen::from_value(found.into()).map_err(|cause| {
            let what = format!("what was found has to be boxes, in fractions: {cause}");
            thrown(Error::new(ErrorKind::BadQuery, what))
        })?;
        let found = match self.0.look_at(window as usize, &found).map_err(thrown)? {
            Next::Found(found) => found,
            Next::Nothing => return Ok(JsValue::NULL.unchecked_into()),
            Next::Done => return Ok(JsValue::UNDEFINED.unchecked_into()),
        };
        let product = self.0.products().and_then(|products| products.get(found.row));
        let Some(product) = product else { return Ok(JsValue::NULL.unchecked_into()) };
        let like = Like { id: &product.id, title: &product.title, score: found.score };
        let like: JsValue = to_js(&like)?;
        Reflect::set(&like, &"thing".into(), &to_thing(&found.thing)?)?;
        Ok(like.unchecked_into())
    }

    /// What of the photo the network looks at: all of it, or the part around what the mask leaves.
    pub fn seen(&self, masked: bool) -> Result<JsRect, JsValue> {
        let view = if masked { View::Masked } else { View::Whole };
        to_js(&self.0.seen(view).map_err(thrown)?)
    }

    /// The photo's features before the projection, `[sum of the layers' dims]`: what another ONNX
    /// runtime gives for the network's file.
    pub fn pooled(&mut self, masked: bool) -> Result<Vec<f32>, JsValue> {
        let view = if masked { View::Masked } else { View::Whole };
        self.0.pooled(view).map_err(thrown)
    }

    /// Where in the photo its similarity to a product comes from: to its picture `image`, or else to
    /// the one that the photo resembles most.
    pub fn explain(&mut self, id: &str, options: JsExplain) -> Result<JsHeatMap, JsValue> {
        #[derive(serde::Deserialize)]
        struct Options {
            photo: View,
            #[serde(default)]
            image: Option<u32>,
        }
        let options: Options = serde_wasm_bindgen::from_value(options.into()).map_err(|cause| {
            thrown(Error::new(ErrorKind::BadQuery, format!("the options cannot be read: {cause}")))
        })?;
        let heat = self.0.explain(id, options.image, options.photo).map_err(thrown)?;
        let HeatMap { width, height, values, rect } = heat;
        to_js(&Heat { width, height, values, rect })
    }

    /// All that is known of a product.
    pub fn product(&self, id: &str) -> Result<JsProduct, JsValue> {
        let Some(products) = self.0.products() else {
            return Err(thrown(Error::new(ErrorKind::NotReady, "the products are not loaded yet")));
        };
        let row = products.row(id).map_err(thrown)?;
        to_js(&products.get(row))
    }

    /// What a run of the network multiplies, for measurements; empty if our kernels do not run it.
    pub fn work(&self) -> Result<JsWork, JsValue> {
        to_js(&self.0.network().map(|network| network.work()).unwrap_or_default())
    }

    /// Multiplies operands that stay in the first-level cache and gives the number of products, for measurements:
    /// what `work` is done with, at its best. 0 for a variant that this module or machine has not.
    #[wasm_bindgen(js_name = innerLoop)]
    pub fn inner_loop(variant: &str, repeats: usize) -> f64 {
        use crate::kernels::{Isa, peak};
        let isa = Isa::available().into_iter().find(|isa| format!("{isa:?}") == variant);
        isa.map_or(0.0, |isa| peak::inner_loop(isa, repeats) as f64)
    }

    /// The ids of the products of rows `from..to`.
    pub fn ids(&self, from: usize, to: usize) -> Vec<String> {
        let all = self.0.products().map_or(&[][..], |p| p.as_slice());
        let to = to.min(all.len());
        all[from.min(to)..to].iter().map(|p| p.id.clone()).collect()
    }
}

/// Refuses what `Query::from_json` refuses: unknown fields as well, which reading a JS object by its
/// known fields passes over.
fn read(query: JsQuery) -> Result<Query, JsValue> {
    let query: JsValue = query.into();
    let bad = |cause: &dyn std::fmt::Display| {
        thrown(Error::new(ErrorKind::BadQuery, format!("the query cannot be read: {cause}")))
    };
    let read = serde_wasm_bindgen::from_value(query.clone()).map_err(|e| bad(&e))?;
    let mut value: Value = serde_wasm_bindgen::from_value(query).map_err(|e| bad(&e))?;
    without_nulls(&mut value);
    serde_json::from_value::<Query>(value).map_err(|e| bad(&e))?;
    Ok(read)
}

/// `undefined` is how JavaScript leaves out a field.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(target_feature = "atomics")]
static TEAM: Team = Team::new();

/// The threads of this module: workers on the same memory that have called [`assist`].
#[cfg(target_feature = "atomics")]
fn threads() -> &'static dyn Split {
    &TEAM
}

/// A build without shared memory has one.
#[cfg(not(target_feature = "atomics"))]
fn threads() -> &'static dyn Split {
    &Alone
}

/// Runs parts of the network's layers and never returns; for a worker that has this module on the engine's memory.
#[cfg(target_feature = "atomics")]
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "what JavaScript calls has to be public")]
pub fn assist() {
    TEAM.assist()
}

/// Says that the thread of a worker has ended within [`assist`], by a trap.
#[cfg(target_feature = "atomics")]
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "what JavaScript calls has to be public")]
pub fn lost() {
    TEAM.lose();
}

/// Milliseconds since the worker began; 0 where there is no clock.
fn now() -> f64 {
    let scope: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    scope.performance().map_or(0.0, |clock| clock.now())
}

/// Called once when the module is loaded: panics, which would be bugs, then say where.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

fn to_js<T: JsCast>(value: &impl Serialize) -> Result<T, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    match value.serialize(&serializer) {
        Ok(value) => Ok(value.unchecked_into()),
        Err(cause) => Err(thrown(Error::new(ErrorKind::Internal, cause.to_string()))),
    }
}

/// A JS `Error` with our `kind`.
fn thrown(error: Error) -> JsValue {
    let js = JsError::new(&error.to_string());
    js.set_name("LookalikeError");
    // Setting a property of an object made just now cannot fail.
    let _ = Reflect::set(&js, &"kind".into(), &error.kind().as_str().into());
    js.into()
}
