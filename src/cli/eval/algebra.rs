//! What a step along a direction between two groups does to the results, beside other ways to do it and beside what a shop
//! could do without any.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::strips;
use crate::catalog::Product;
use crate::cli::progress::Progress;
use crate::cli::{files, output, values};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, decode};
use crate::index::{Group, Index};

#[derive(clap::Args)]
pub(super) struct Args {
    /// A folder that `lookalike index` has written.
    #[arg(short, long)]
    index: PathBuf,
    /// Directions run between the groups of this column; of `kind`, or else `category`, if absent.
    #[arg(long)]
    column: Option<String>,
    /// Groups with fewer products take no part.
    #[arg(long, default_value_t = 10, value_parser = values::count(1..=1_000_000))]
    min_group: usize,
    /// Pairs to list one by one, as FROM:TO; repeat or separate by comma.
    #[arg(long, value_delimiter = ',', value_name = "FROM:TO")]
    pair: Vec<String>,
    /// Write a page with the listed pairs' results, pictures included.
    #[arg(long, value_name = "FILE", requires = "pair")]
    report: Option<PathBuf>,
    /// Write a JPEG of the first listed pair's results, for documents; prints whose pictures it shows.
    #[arg(long, value_name = "FILE", requires = "pair")]
    strip: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Results that are looked at.
const DEPTH: usize = 10;
/// A shopper's scale.
const STRENGTHS: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Beyond it, to see where a method with another scale gets.
const BEYOND: [f32; 6] = [1.0, 1.2, 1.4, 1.7, 2.0, 2.5];

/// A way to go from one group towards another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    /// What the engine does: linear discriminants.
    Served,
    /// Along the difference of the centroids, by so many of its lengths.
    Difference,
    /// The same, by a length that does not depend on the pair.
    Unit,
    /// Turned in the plane of both centroids, by so much of the angle between them.
    Rotation,
    /// To the target's centroid along the great circle.
    Blend,
}

impl Method {
    const ALL: [Self; 5] =
        [Self::Served, Self::Difference, Self::Unit, Self::Rotation, Self::Blend];

    fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Difference => "difference",
            Self::Unit => "unit difference",
            Self::Rotation => "rotation",
            Self::Blend => "blend",
        }
    }

    fn step(self, index: &Index, start: &Embedding, pair: &Pair<'_>, s: f32) -> Result<Embedding> {
        let (from, to) = (&pair.from.group.centroid, &pair.to.group.centroid);
        match self {
            Self::Served => {
                let along = index.direction(Some(&pair.from.group.key), &pair.to.group.key)?;
                start.moved(&along, s)
            }
            Self::Difference => start.moved(&from.direction_to(to)?, s),
            Self::Unit => start.moved(&from.direction_to(to)?.unit()?, s),
            Self::Rotation => rotated(start, from, to, s),
            Self::Blend => start.walk(to, s),
        }
    }
}

/// The rotation that takes `from` to `to` at `s = 1`, leaving all that is orthogonal to both as it is.
fn rotated(start: &Embedding, from: &Embedding, to: &Embedding, s: f32) -> Result<Embedding> {
    let cosine = from.dot(to)?;
    let rest = to.as_slice().iter().zip(from.as_slice()).map(|(t, f)| t - cosine * f).collect();
    let other = Embedding::new(rest)?;
    let (x, y) = (start.dot(from)?, start.dot(&other)?);
    let (sin, cos) = (s * cosine.acos()).sin_cos();
    let (dx, dy) = (cos * x - sin * y - x, sin * x + cos * y - y);
    let axes = from.as_slice().iter().zip(other.as_slice());
    Embedding::new(
        start.as_slice().iter().zip(axes).map(|(v, (a, b))| v + dx * a + dy * b).collect(),
    )
}

/// A group and who belongs to it.
struct Members<'a> {
    group: &'a Group,
    rows: Vec<u32>,
    /// Whether a row is one of them.
    has: Vec<bool>,
}

struct Pair<'a> {
    from: &'a Members<'a>,
    to: &'a Members<'a>,
}

/// What is measured with.
struct Shop<'a> {
    index: &'a Index,
    colours: Vec<Option<Colours>>,
}

/// What came of the starts of one pair, each weighing the same.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Outcome {
    /// Share of the first ten that belong to the target.
    to: f64,
    /// Share that belong to the group that was left.
    from: f64,
    /// Share of the target's ten products nearest to the start (what a filter would show) that are found.
    kept: f64,
    /// The same if the target's products that are found were any of them.
    by_chance: f64,
    /// Distance of the colour histograms of the start and of the target's products found, 0 to 1; absent where none are.
    colour: Option<f64>,
}

impl Outcome {
    fn mean<'a>(of: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let average = |value: fn(&Self) -> Option<f64>| {
            let values: Vec<f64> = of.clone().filter_map(value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self {
            to: average(|o| Some(o.to)).unwrap_or_default(),
            from: average(|o| Some(o.from)).unwrap_or_default(),
            kept: average(|o| Some(o.kept)).unwrap_or_default(),
            by_chance: average(|o| Some(o.by_chance)).unwrap_or_default(),
            colour: average(|o| o.colour),
        }
    }
}

#[derive(Serialize)]
struct Row {
    strength: f32,
    #[serde(flatten)]
    outcome: Outcome,
}

/// One method over all pairs.
#[derive(Serialize)]
struct Course {
    method: &'static str,
    steps: Vec<Row>,
    /// Over the pairs: quartiles of the strength at which half of the first ten belong to the target.
    half: [f32; 3],
    /// How far the quartiles lie apart, as a share of the median: 0 would be the same strength for all.
    spread: f32,
    /// Pairs that never get there.
    never: usize,
    /// `kept` where, on average over the pairs, half and 8 of 10 belong to the target; by chance it would be the second of
    /// each.
    kept_at_half: [f64; 2],
    kept_at_most: [f64; 2],
}

#[derive(Serialize)]
struct Listed {
    from: String,
    to: String,
    steps: Vec<Row>,
    filter: Outcome,
    centroid: Outcome,
}

#[derive(Serialize)]
struct Figures {
    column: String,
    groups: usize,
    pairs: usize,
    starts: usize,
    /// The start itself, without a direction.
    none: Outcome,
    /// The target's centroid, whatever the start.
    centroid: Outcome,
    /// The target's products nearest to the start.
    filter: Outcome,
    courses: Vec<Course>,
    listed: Vec<Listed>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    for path in args.report.iter().chain(&args.strip) {
        files::must_be_writable(path)?;
    }
    let engine = files::open_engine(&args.index)?;
    let (Some(index), Some(products)) = (engine.index(), engine.products()) else {
        return Err(Error::new(ErrorKind::Internal, "the engine did not load its files"));
    };
    let products = products.as_slice();
    let column = column(args, index)?;
    let groups = members(index, products, &column, args.min_group);
    if groups.len() < 2 {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            format!(
                "the column {column:?} has fewer than two groups of {} products; see --column and \
                 --min-group",
                args.min_group
            ),
        ));
    }
    let shop = Shop { index, colours: colours(&args.index, products) };
    let pairs: Vec<Pair<'_>> = groups
        .iter()
        .flat_map(|from| groups.iter().map(move |to| Pair { from, to }))
        .filter(|pair| !std::ptr::eq(pair.from, pair.to))
        .collect();
    let every = |look: &(dyn Fn(&Pair<'_>) -> Result<Outcome> + Sync)| -> Result<Vec<Outcome>> {
        pairs.par_iter().map(look).collect()
    };
    let strengths: Vec<f32> = STRENGTHS.into_iter().chain(BEYOND).collect();
    let bar = Progress::new(Method::ALL.len() * strengths.len(), "searching");
    let mut courses = Vec::new();
    for method in Method::ALL {
        let mut steps = Vec::new();
        for &s in &strengths {
            steps.push(every(&|pair| shop.along(pair, |q| method.step(index, q, pair, s)))?);
            bar.inc(1);
        }
        courses.push(course(method.name(), &strengths, &steps));
    }
    bar.finish();
    let mean = |outcomes: Vec<Outcome>| Outcome::mean(outcomes.iter());
    let listed = named(&args.pair, &pairs)?;
    let figures = Figures {
        groups: groups.len(),
        pairs: pairs.len(),
        starts: groups.iter().map(|g| g.rows.len()).sum(),
        none: mean(every(&|pair| shop.along(pair, |q| Ok(q.clone())))?),
        centroid: mean(every(&|pair| shop.centroid(pair))?),
        filter: mean(every(&|pair| shop.filter(pair))?),
        courses,
        listed: listed.iter().map(|pair| shop.listed(pair)).collect::<Result<_>>()?,
        column,
    };
    if let Some(path) = &args.report {
        let attribution = engine.manifest().attribution.as_deref();
        let page = strips::page(&args.index, products, &shop.rows_of(&listed)?, attribution);
        files::write(path, page.as_bytes())?;
    }
    if let (Some(path), [first, ..]) = (&args.strip, listed.as_slice()) {
        let rows = shop.strip(first, 0)?;
        files::write(path, &strips::jpeg(&args.index, products, &rows)?)?;
        output::remark(strips::credits(products, &rows).trim_end());
    }
    if args.json { output::json(&figures) } else { output::print(table(&figures)) }
}

fn column(args: &Args, index: &Index) -> Result<String> {
    let has = |name: &str| index.groups().iter().any(|g| g.key.column == name);
    let wanted = args.column.as_deref();
    let found =
        wanted.into_iter().chain(["kind", "category"].into_iter().filter(|_| wanted.is_none()));
    found.map(str::to_owned).find(|name| has(name)).ok_or_else(|| {
        let mut columns: Vec<&str> = index.groups().iter().map(|g| g.key.column.as_str()).collect();
        columns.dedup();
        Error::new(
            ErrorKind::BadQuery,
            format!("the index has no groups of that column; it has {}", columns.join(", ")),
        )
    })
}

fn members<'a>(
    index: &'a Index,
    products: &[Product],
    column: &str,
    least: usize,
) -> Vec<Members<'a>> {
    let value = |product: &'_ Product| match column {
        "category" => product.category.clone(),
        other => product.attributes.get(other).cloned(),
    };
    let values: Vec<Option<String>> = products.iter().map(value).collect();
    let group = |group: &'a Group| {
        let has: Vec<bool> = values.iter().map(|v| v.as_ref() == Some(&group.key.value)).collect();
        let rows = (0..).zip(&has).filter(|(_, has)| **has).map(|(row, _)| row).collect();
        Members { group, rows, has }
    };
    let groups = index.groups().iter().filter(|g| g.key.column == column).map(group);
    groups.filter(|g| g.rows.len() >= least.max(2)).collect()
}

/// The pairs that were asked for by name.
fn named<'a>(wanted: &[String], pairs: &'a [Pair<'a>]) -> Result<Vec<&'a Pair<'a>>> {
    let find = |name: &String| {
        let found = pairs
            .iter()
            .find(|p| format!("{}:{}", p.from.group.key.value, p.to.group.key.value) == *name);
        found.ok_or_else(|| {
            let mut known: Vec<&str> =
                pairs.iter().map(|p| p.from.group.key.value.as_str()).collect();
            known.dedup();
            let what = format!("there is no pair {name:?}; give FROM:TO of {}", known.join(", "));
            Error::new(ErrorKind::BadQuery, what)
        })
    };
    wanted.iter().map(find).collect()
}

impl Shop<'_> {
    /// Searches from every member of the pair's first group, moved by `step`.
    fn along(
        &self,
        pair: &Pair<'_>,
        step: impl Fn(&Embedding) -> Result<Embedding>,
    ) -> Result<Outcome> {
        let outcomes = pair
            .from
            .rows
            .iter()
            .map(|&row| {
                let found = self.near(&step(&self.index.embedding(row)?)?, row, None)?;
                self.judge(pair, row, &found)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Outcome::mean(outcomes.iter()))
    }

    fn centroid(&self, pair: &Pair<'_>) -> Result<Outcome> {
        self.along(pair, |_| Ok(pair.to.group.centroid.clone()))
    }

    fn filter(&self, pair: &Pair<'_>) -> Result<Outcome> {
        let judged = pair.from.rows.iter().map(|&row| {
            let found = self.near(&self.index.embedding(row)?, row, Some(pair.to))?;
            self.judge(pair, row, &found)
        });
        Ok(Outcome::mean(judged.collect::<Result<Vec<_>>>()?.iter()))
    }

    /// The nearest rows but `start`, all or of one group.
    fn near(&self, at: &Embedding, start: u32, within: Option<&Members<'_>>) -> Result<Vec<u32>> {
        let accept =
            |row: u32| row != start && within.is_none_or(|members| members.has[row as usize]);
        let found = self.index.search_exact(at, DEPTH, accept)?;
        Ok(found.into_iter().map(|n| n.product).collect())
    }

    fn judge(&self, pair: &Pair<'_>, start: u32, found: &[u32]) -> Result<Outcome> {
        let of = |members: &Members<'_>| {
            found.iter().copied().filter(|&row| members.has[row as usize]).collect::<Vec<u32>>()
        };
        let reached = of(pair.to);
        let nearest = self.near(&self.index.embedding(start)?, start, Some(pair.to))?;
        let kept = reached.iter().filter(|row| nearest.contains(row)).count();
        let distances: Vec<f64> = reached
            .iter()
            .filter_map(|&row| {
                let both = (self.colours.get(start as usize)?, self.colours.get(row as usize)?);
                Some(both.0.as_ref()?.distance(both.1.as_ref()?))
            })
            .collect();
        Ok(Outcome {
            to: reached.len() as f64 / DEPTH as f64,
            from: of(pair.from).len() as f64 / DEPTH as f64,
            kept: kept as f64 / nearest.len().max(1) as f64,
            by_chance: reached.len() as f64 / pair.to.rows.len() as f64,
            colour: (!distances.is_empty())
                .then(|| distances.iter().sum::<f64>() / distances.len() as f64),
        })
    }

    fn listed(&self, pair: &Pair<'_>) -> Result<Listed> {
        let step = |&strength: &f32| {
            let outcome =
                self.along(pair, |q| Method::Served.step(self.index, q, pair, strength))?;
            Ok(Row { strength, outcome })
        };
        Ok(Listed {
            from: pair.from.group.key.value.clone(),
            to: pair.to.group.key.value.clone(),
            steps: STRENGTHS.iter().map(step).collect::<Result<_>>()?,
            filter: self.filter(pair)?,
            centroid: self.centroid(pair)?,
        })
    }

    /// What is shown of a pair: one start with its results by each of several ways. Starts are counted from the most typical
    /// member of the group on, by cosine to its centroid.
    fn strip(&self, pair: &Pair<'_>, nth: usize) -> Result<strips::Strip> {
        let mut typical = Vec::new();
        for &row in &pair.from.rows {
            typical.push((self.index.embedding(row)?.dot(&pair.from.group.centroid)?, row));
        }
        typical.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (_, start) = typical[nth.min(typical.len() - 1)];
        let query = self.index.embedding(start)?;
        let mut rows = Vec::new();
        for s in [0.0, 0.3, 0.6, 0.9] {
            let at = Method::Served.step(self.index, &query, pair, s)?;
            rows.push((format!("strength {s}"), self.near(&at, start, None)?));
        }
        let centroid = &pair.to.group.centroid;
        rows.push(("the target's centroid".into(), self.near(centroid, start, None)?));
        rows.push(("filtered".into(), self.near(&query, start, Some(pair.to))?));
        let title = format!("{} to {}", pair.from.group.key.value, pair.to.group.key.value);
        Ok(strips::Strip { title, start, rows })
    }

    /// Three starts of each pair: the most typical, one in the middle, and the least typical.
    fn rows_of(&self, pairs: &[&Pair<'_>]) -> Result<Vec<strips::Strip>> {
        let mut all = Vec::new();
        for pair in pairs {
            let last = pair.from.rows.len() - 1;
            for nth in [0, last / 2, last] {
                all.push(self.strip(pair, nth)?);
            }
        }
        Ok(all)
    }
}

/// `steps[i]` are the pairs' outcomes at `strengths[i]`.
fn course(method: &'static str, strengths: &[f32], steps: &[Vec<Outcome>]) -> Course {
    let means: Vec<Outcome> = steps.iter().map(|s| Outcome::mean(s.iter())).collect();
    let pairs = steps.first().map_or(0, Vec::len);
    let mut halves: Vec<f32> = (0..pairs)
        .filter_map(|pair| {
            let shares: Vec<f64> = steps.iter().map(|s| s[pair].to).collect();
            crossing(strengths, &shares, 0.5)
        })
        .collect();
    halves.sort_by(f32::total_cmp);
    let quartile = |q: usize| match halves.as_slice() {
        [] => f32::NAN,
        found => found[(found.len() - 1) * q / 4],
    };
    let half = [quartile(1), quartile(2), quartile(3)];
    let shares: Vec<f64> = means.iter().map(|m| m.to).collect();
    let kept_at = |share: f64| {
        let at = |value: fn(&Outcome) -> f64| {
            let values: Vec<f64> = means.iter().map(value).collect();
            interpolated(&shares, &values, share)
        };
        [at(|o| o.kept), at(|o| o.by_chance)]
    };
    Course {
        method,
        half,
        spread: (half[2] - half[0]) / half[1],
        never: pairs - halves.len(),
        kept_at_half: kept_at(0.5),
        kept_at_most: kept_at(0.8),
        steps: strengths
            .iter()
            .zip(means)
            .take(STRENGTHS.len())
            .map(|(&strength, outcome)| Row { strength, outcome })
            .collect(),
    }
}

/// Where a rising curve through 0 first reaches `level`.
fn crossing(x: &[f32], y: &[f64], level: f64) -> Option<f32> {
    let at = y.iter().position(|&v| v >= level)?;
    let (x0, y0) = if at == 0 { (0.0, 0.0) } else { (x[at - 1], y[at - 1]) };
    Some(x0 + (x[at] - x0) * ((level - y0) / (y[at] - y0)) as f32)
}

/// The value where the shares first reach `level`; NaN where they do not.
fn interpolated(shares: &[f64], values: &[f64], level: f64) -> f64 {
    let Some(at) = shares.iter().position(|&s| s >= level) else { return f64::NAN };
    let (s0, v0) = if at == 0 { (0.0, 0.0) } else { (shares[at - 1], values[at - 1]) };
    v0 + (values[at] - v0) * (level - s0) / (shares[at] - s0)
}

/// A picture's colours: 4 x 4 x 4 cells of RGB, each pixel shared among its 8 nearest, the white ground left out; sums to 1.
struct Colours([f32; 64]);

impl Colours {
    /// `None` for a picture that is all ground.
    fn of(rgb: &[u8]) -> Option<Self> {
        let mut cells = [0f32; 64];
        for pixel in rgb.chunks_exact(3).filter(|p| p.iter().any(|&v| v < 242)) {
            let at = |c: usize| f32::from(pixel[c]) / 255.0 * 3.0;
            let low = |c: usize| (at(c) as usize).min(2);
            for corner in 0..8usize {
                let (mut cell, mut weight) = (0, 1.0);
                for c in 0..3 {
                    let up = corner >> c & 1;
                    let share = at(c) - low(c) as f32;
                    weight *= if up == 1 { share } else { 1.0 - share };
                    cell = cell * 4 + low(c) + up;
                }
                cells[cell] += weight;
            }
        }
        let total: f32 = cells.iter().sum();
        (total > 0.0).then(|| Self(cells.map(|c| c / total)))
    }

    /// One minus the intersection (Swain and Ballard, Color indexing, 1991): 0 the same, 1 nothing in common.
    fn distance(&self, other: &Self) -> f64 {
        1.0 - self.0.iter().zip(&other.0).map(|(a, b)| f64::from(a.min(*b))).sum::<f64>()
    }
}

fn colours(folder: &Path, products: &[Product]) -> Vec<Option<Colours>> {
    products
        .par_iter()
        .map(|product| {
            let file = files::read(&folder.join(product.thumb()?)).ok()?;
            Colours::of(decode(&file, &Limits::default()).ok()?.rgb())
        })
        .collect()
}

fn table(figures: &Figures) -> String {
    let mut out = String::new();
    let f = figures;
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{} groups of {:?}, {} pairs, {} starts; shares of the first {DEPTH}, means over pairs",
        f.groups, f.column, f.pairs, f.starts
    );
    let head = format!(
        "{:<24} {:>6} {:>6} {:>6} {:>9} {:>7}",
        "", "to", "from", "kept", "by chance", "colour"
    );
    let line = |name: &str, o: &Outcome| {
        let colour = o.colour.map_or("-".into(), |c| format!("{c:.3}"));
        format!(
            "{name:<24} {:>6.3} {:>6.3} {:>6.3} {:>9.3} {colour:>7}",
            o.to, o.from, o.kept, o.by_chance
        )
    };
    let _ = writeln!(out, "{head}");
    for (name, outcome) in
        [("no direction", &f.none), ("target's centroid", &f.centroid), ("filter", &f.filter)]
    {
        let _ = writeln!(out, "{}", line(name, outcome));
    }
    for course in &f.courses {
        for Row { strength, outcome } in &course.steps {
            let _ = writeln!(out, "{}", line(&format!("{} {strength:.1}", course.method), outcome));
        }
    }
    let _ = writeln!(
        out,
        "\n{:<16} {:>24} {:>7} {:>6} {:>16} {:>16}",
        "", "strength for half", "spread", "never", "kept at 0.5", "kept at 0.8"
    );
    for c in &f.courses {
        let [low, median, high] = c.half;
        // Where no pair gets so far, there is nothing to average.
        let kept = |[kept, chance]: [f64; 2]| {
            if kept.is_nan() { "-".into() } else { format!("{kept:.3} ({chance:.3})") }
        };
        let _ = writeln!(
            out,
            "{:<16} {:>24} {:>7.2} {:>6} {:>16} {:>16}",
            c.method,
            format!("{median:.2} ({low:.2} to {high:.2})"),
            c.spread,
            c.never,
            kept(c.kept_at_half),
            kept(c.kept_at_most)
        );
    }
    for pair in &f.listed {
        let _ = writeln!(out, "\n{} to {}\n{head}", pair.from, pair.to);
        for Row { strength, outcome } in &pair.steps {
            let _ = writeln!(out, "{}", line(&format!("strength {strength:.1}"), outcome));
        }
        let _ = writeln!(out, "{}", line("target's centroid", &pair.centroid));
        let _ = writeln!(out, "{}", line("filter", &pair.filter));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e(values: &[f32]) -> Embedding {
        Embedding::new(values.to_vec()).unwrap()
    }

    #[test]
    fn a_rotation_takes_one_centroid_to_the_other_and_leaves_the_rest() {
        let (a, b) = (e(&[1.0, 0.0, 0.0]), e(&[0.6, 0.8, 0.0]));
        assert!(rotated(&a, &a, &b, 1.0).unwrap().dot(&b).unwrap() > 0.9999);
        let start = e(&[0.5, 0.1, 0.8]);
        let turned = rotated(&start, &a, &b, 0.7).unwrap();
        assert!((turned.as_slice()[2] - start.as_slice()[2]).abs() < 1e-6);
        assert!(rotated(&start, &a, &b, 0.0).unwrap().dot(&start).unwrap() > 0.9999);
    }

    #[test]
    fn colours_compare_what_is_not_ground() {
        let of = |pixels: &[[u8; 3]]| Colours::of(&pixels.concat());
        assert!(of(&[[255; 3], [250; 3]]).is_none());
        let (red, same) = (of(&[[200, 0, 0]]).unwrap(), of(&[[200, 0, 0], [255; 3]]).unwrap());
        assert!(red.distance(&same) < 1e-6);
        assert!(red.distance(&of(&[[0, 0, 255]]).unwrap()) > 0.99);
        let near = red.distance(&of(&[[180, 0, 0]]).unwrap());
        assert!(near > 0.0 && near < 0.3, "{near}");
    }

    #[test]
    fn curves_cross_where_they_say() {
        assert_eq!(crossing(&[0.1, 0.2], &[0.2, 0.8], 0.5), Some(0.15));
        assert_eq!(crossing(&[0.1], &[1.0], 0.5), Some(0.05));
        assert_eq!(crossing(&[0.1], &[0.4], 0.5), None);
        assert!((interpolated(&[0.0, 1.0], &[1.0, 3.0], 0.5) - 2.0).abs() < 1e-9);
        assert!(interpolated(&[0.4], &[1.0], 0.5).is_nan());
    }
}
