use super::*;
use crate::catalog::Product;

const DIM: usize = 12;

fn block(dim: usize) -> Block {
    Block { dim, power: 1.0, weight: 1.0 }
}

/// The same sequence on every machine, -1 to 1.
fn noise(seed: usize) -> f32 {
    let x = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x >> 40) as f32) / (1u64 << 23) as f32 - 1.0
}

/// Products of four kinds. Our features show the kind weakly under strong noise, the teacher's
/// show little else.
fn kind(row: usize) -> usize {
    row % 4
}

fn ours(count: usize) -> Vec<Vec<f32>> {
    let feature = |row: usize, d: usize| {
        let signal = if d < 4 && kind(row) == d { 0.5 } else { 0.0 };
        signal + noise(row * DIM + d) * if d < 4 { 0.2 } else { 1.0 }
    };
    (0..count).map(|row| (0..DIM).map(|d| feature(row, d)).collect()).collect()
}

fn teachers(count: usize) -> Vec<Vec<f32>> {
    let feature = |row: usize, d: usize| {
        f32::from(u8::from(kind(row) == d)) + 0.1 * noise(row * 4 + d + 77_777)
    };
    (0..count).map(|row| (0..4).map(|d| feature(row, d)).collect()).collect()
}

fn column(values: impl Iterator<Item = String>) -> Column {
    let list: Vec<Product> =
        values.map(|v| Product { category: Some(v), ..Product::default() }).collect();
    Column::read("category", &list.iter().collect::<Vec<_>>()).unwrap()
}

/// Share of the 3 nearest that are of the same kind, among products `from` the given row on.
fn purity(projection: &Projection, pooled: &[Vec<f32>], from: usize) -> f64 {
    let e: Vec<_> = pooled.iter().map(|p| projection.apply(p).unwrap()).collect();
    let rows = from..e.len();
    let hits: usize = rows
        .clone()
        .map(|i| {
            let mut others: Vec<usize> = rows.clone().filter(|&j| j != i).collect();
            others.sort_by(|&a, &b| e[i].dot(&e[b]).unwrap().total_cmp(&e[i].dot(&e[a]).unwrap()));
            others[..3].iter().filter(|&&j| kind(j) == kind(i)).count()
        })
        .sum();
    hits as f64 / (3 * rows.len()) as f64
}

fn refs(rows: &[Vec<f32>]) -> Vec<&[f32]> {
    rows.iter().map(Vec::as_slice).collect()
}

/// Name, pooled features, blocks.
type Seen<'a> = (&'a str, &'a [Vec<f32>], &'a [Block]);

fn lesson(
    pooled: &[Vec<f32>],
    blocks: &[Block],
    teacher: Option<Seen<'_>>,
    columns: &[Column],
) -> Result<(Projection, Recipe)> {
    let taught = refs(teacher.map_or(&[], |t| t.1));
    let teacher = teacher.map(|(name, _, blocks)| Teacher { name, pooled: &taught, blocks });
    let teachers = teacher.as_slice();
    let each: Vec<u32> = (0..pooled.len() as u32).collect();
    let (owners, units) = (each.as_slice(), each.as_slice());
    let pooled = &refs(pooled);
    let lesson =
        Lesson { pooled, owners, units, blocks, copies: Copies::default(), teachers, columns };
    learn(&lesson, LearnOptions::default())
}

fn lesson_of<'a>(
    pooled: &'a [&'a [f32]],
    owners: &'a [u32],
    units: &'a [u32],
    blocks: &'a [Block],
) -> Lesson<'a> {
    Lesson { pooled, owners, units, blocks, copies: Copies::default(), teachers: &[], columns: &[] }
}

#[test]
fn a_teacher_helps_products_that_were_not_learnt_from() {
    let (all, taught) = (ours(200), teachers(120));
    let (blocks, theirs) = ([block(DIM)], [block(4)]);
    let teacher = ("t", &taught[..], &theirs[..]);
    let (plain, recipe) = lesson(&all[..120], &blocks, None, &[]).unwrap();
    assert_eq!((recipe.projection, recipe.notes.len()), (Method::Principal, 0));
    let (learnt, recipe) = lesson(&all[..120], &blocks, Some(teacher), &[]).unwrap();
    assert_eq!(recipe.projection, Method::Ridge);
    let [followed] = &recipe.teachers[..] else { panic!("{recipe:?}") };
    assert!(followed.agreement > followed.agreement_without, "{followed:?}");
    let (before, after) = (purity(&plain, &all, 120), purity(&learnt, &all, 120));
    assert!(after > before + 0.1, "{before} {after}");
}

#[test]
fn a_column_helps_only_if_it_says_something() {
    let all = ours(200);
    let blocks = [block(DIM)];
    let kinds = [column((0..120).map(|row| format!("kind {}", kind(row))))];
    let (plain, _) = lesson(&all[..120], &blocks, None, &[]).unwrap();
    let (learnt, recipe) = lesson(&all[..120], &blocks, None, &kinds).unwrap();
    assert!(recipe.columns[0].used, "{recipe:?}");
    assert_eq!(recipe.projection, Method::PrincipalAndRidge);
    let (before, after) = (purity(&plain, &all, 120), purity(&learnt, &all, 120));
    assert!(after > before, "{before} {after}");

    // Every product alone in its category, and all in one.
    for useless in
        [column((0..120).map(|row| format!("only {row}"))), column((0..120).map(|_| "all".into()))]
    {
        let columns = [useless];
        let (same, recipe) = lesson(&all[..120], &blocks, None, &columns).unwrap();
        assert_eq!(same, plain);
        assert!(recipe.notes[0].contains("not used"), "{recipe:?}");
    }
}

#[test]
fn small_catalogues_fall_back_and_say_so() {
    let (all, taught) = (ours(10), teachers(10));
    let (blocks, theirs) = ([block(DIM)], [block(4)]);
    let teacher = Some(("t", &taught[..], &theirs[..]));
    let (p, recipe) = lesson(&all, &blocks, teacher, &[]).unwrap();
    assert_eq!(recipe.projection, Method::Principal);
    assert!(recipe.notes[0].contains("10 products are too few"), "{recipe:?}");
    // Ten pictures span nine dimensions.
    assert_eq!(p.out_dim(), 9);
}

#[test]
fn several_teachers_are_joined_and_those_that_mislead_are_left_out() {
    let (all, taught) = (ours(120), teachers(120));
    let (blocks, theirs) = ([block(DIM)], [block(4)]);
    let blurred = |at: usize, row: &[f32]| -> Vec<f32> {
        row.iter().enumerate().map(|(d, x)| 3.0 * x + noise(500_000 + at * 4 + d)).collect()
    };
    // The second sees what the first does, less clearly and in larger numbers.
    let other: Vec<Vec<f32>> =
        taught.iter().enumerate().map(|(at, row)| blurred(at, row)).collect();
    // The third sees each picture as something else, whatever it shows.
    let nothing: Vec<Vec<f32>> =
        (0..120).map(|at| (0..4).map(|d| noise(900_000 + at * 4 + d)).collect()).collect();
    let (pooled, each): (Vec<&[f32]>, Vec<u32>) = (refs(&all), (0..120).collect());
    let seen = [refs(&taught), refs(&other), refs(&nothing)];
    let teacher = |name, at: usize| Teacher { name, pooled: &seen[at], blocks: &theirs };
    let of = |teachers: &[Teacher<'_>]| {
        let lesson = Lesson { teachers, ..lesson_of(&pooled, &each, &each, &blocks) };
        learn(&lesson, LearnOptions::default()).unwrap()
    };
    let (projection, recipe) = of(&[teacher("a", 0), teacher("b", 1), teacher("noise", 2)]);
    let names: Vec<&str> = recipe.teachers.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "b"], "{recipe:?}");
    assert!(recipe.notes.iter().any(|note| note.starts_with("noise is not used")), "{recipe:?}");
    assert!(recipe.teachers.iter().all(|t| t.agreement > t.agreement_without), "{recipe:?}");
    assert_ne!(projection, of(&[teacher("a", 0)]).0, "both have a say");
    assert_eq!(projection, of(&[teacher("a", 0), teacher("b", 1)]).0, "the noise has none");
}

#[test]
fn a_teacher_that_sees_nothing_is_left_out() {
    let (all, taught) = (ours(60), vec![vec![1.0; 4]; 60]);
    let (blocks, theirs) = ([block(DIM)], [block(4)]);
    let teacher = Some(("blind", &taught[..], &theirs[..]));
    let (_, recipe) = lesson(&all, &blocks, teacher, &[]).unwrap();
    assert_eq!((recipe.projection, recipe.teachers.len()), (Method::Principal, 0));
    assert!(recipe.notes[0].contains("blind sees no difference"), "{:?}", recipe.notes);
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    let (blocks, theirs) = ([block(DIM)], [block(4)]);
    let error = lesson(&[], &blocks, None, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadCatalog);

    let (all, taught) = (ours(60), teachers(60));
    let mut broken = taught.clone();
    broken[7][2] = f32::NAN;
    let teacher = Some(("t", &broken[..], &theirs[..]));
    let error = lesson(&all, &blocks, teacher, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadModel);
    assert!(error.to_string().contains("product 8"), "{error}");

    let teacher = Some(("t", &taught[..59], &theirs[..]));
    let error = lesson(&all, &blocks, teacher, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
}

#[test]
fn too_little_that_differs_is_taken_as_the_network_sees_it() {
    let (blocks, theirs) = ([block(DIM)], [block(4)]);
    let taught = teachers(60);
    let teacher = Some(("t", &taught[..], &theirs[..]));
    let alike = vec![vec![0.5; DIM]; 60];
    for (pictures, teacher) in
        [(&alike[..], teacher), (&alike[..3], None), (&ours(1), None), (&ours(2), None)]
    {
        let (p, recipe) = lesson(pictures, &blocks, teacher, &[]).unwrap();
        assert_eq!((recipe.projection, recipe.notes.len()), (Method::Plain, 1));
        // Twelve features stay twelve, and cosines what they were.
        let own = crate::embedding::Embedding::new(pictures[0].clone()).unwrap();
        let cosine = p.apply(&pictures[0]).unwrap().dot(&own).unwrap();
        assert!(cosine > 0.9999, "{cosine}");
    }
}

#[test]
fn a_picture_more_of_a_product_changes_no_statistics_of_labels() {
    // The first product has its picture fifty times over: it still counts once.
    let (all, blocks) = (ours(120), [block(DIM)]);
    let kinds = [column((0..120).map(|row| format!("kind {}", kind(row))))];
    let mut pooled = vec![all[0].as_slice(); 50];
    pooled.extend(all[1..].iter().map(Vec::as_slice));
    let owners: Vec<u32> = [0; 50].into_iter().chain(1..120).collect();
    let units: Vec<u32> = (0..120).collect();
    let (once, _) = lesson(&all, &blocks, None, &kinds).unwrap();
    let often = Lesson { columns: &kinds, ..lesson_of(&pooled, &owners, &units, &blocks) };
    let (often, recipe) = learn(&often, LearnOptions::default()).unwrap();
    assert!(recipe.columns[0].used);
    for row in &all {
        let cosine = once.apply(row).unwrap().dot(&often.apply(row).unwrap()).unwrap();
        assert!(cosine > 0.999, "{cosine}");
    }
    let wrong = Lesson { owners: &owners[..120], ..lesson_of(&pooled, &owners, &units, &blocks) };
    assert_eq!(learn(&wrong, LearnOptions::default()).unwrap_err().kind(), ErrorKind::Mismatch);
}

#[test]
fn the_same_lesson_gives_the_same_projection() {
    let (all, taught) = (ours(60), teachers(60));
    let (blocks, theirs) = ([block(DIM)], [block(4)]);
    let teacher = Some(("t", &taught[..], &theirs[..]));
    let once = lesson(&all, &blocks, teacher, &[]).unwrap();
    let again = lesson(&all, &blocks, teacher, &[]).unwrap();
    assert_eq!(once, again);
}

/// Copies of pictures over other grounds: their features keep what tells products apart in part, and
/// the ground is strong where pictures have little.
fn over_grounds(pooled: &[Vec<f32>], seed: usize) -> Vec<Vec<f32>> {
    let feature = |row: usize, d: usize, x: f32| {
        if d < 8 { x } else { 0.2 * x + 4.0 * noise(row * DIM + d + seed) }
    };
    let copy = |(row, features): (usize, &Vec<f32>)| -> Vec<f32> {
        features.iter().enumerate().map(|(d, &x)| feature(row, d, x)).collect()
    };
    pooled.iter().enumerate().map(copy).collect()
}

/// The share of rows whose copy has them as its nearest.
fn found(projection: &Projection, clean: &[Vec<f32>], copies: &[Vec<f32>]) -> f64 {
    let apply = |rows: &[Vec<f32>]| -> Vec<_> {
        rows.iter().map(|row| projection.apply(row).unwrap()).collect()
    };
    let (clean, copies) = (apply(clean), apply(copies));
    let right = (0..copies.len()).filter(|&i| {
        let of = |j: usize| copies[i].dot(&clean[j]).unwrap();
        (0..clean.len()).all(|j| j == i || of(j) < of(i))
    });
    right.count() as f64 / copies.len() as f64
}

#[test]
fn copies_teach_what_a_product_looks_like_over_another_ground() {
    let (all, blocks) = (ours(200), [block(DIM)]);
    let (learnt, held) = all.split_at(120);
    let copies = [over_grounds(learnt, 50_000), over_grounds(learnt, 90_000)].concat();
    let of: Vec<u32> = (0..240).map(|i| i % 120).collect();
    let each: Vec<u32> = (0..120).collect();
    let (pooled, copied) = (refs(learnt), refs(&copies));
    let none = lesson_of(&pooled, &each, &each, &blocks);
    let (plain, _) = learn(&none, LearnOptions::default()).unwrap();
    let lesson = Lesson { copies: Copies { pooled: &copied, of: &of }, ..none };
    let (projection, recipe) = learn(&lesson, LearnOptions::default()).unwrap();
    assert_eq!(recipe.projection, Method::Ridge);
    let said = recipe.composites.unwrap();
    assert_eq!(said.copies, 240);
    assert!(said.found > said.found_without, "{said:?}");
    let shown = over_grounds(held, 123_000);
    let (before, after) = (found(&plain, held, &shown), found(&projection, held, &shown));
    assert!(after > before + 0.1, "{before} {after}");
    assert_eq!(learn(&lesson, LearnOptions::default()).unwrap().0, projection, "repeats");
    // A teacher that is not understood is as none.
    let nothing: Vec<Vec<f32>> =
        (0..120).map(|at| (0..4).map(|d| noise(700_000 + at * 4 + d)).collect()).collect();
    let (nothing, theirs) = (refs(&nothing), [block(4)]);
    let teachers = [Teacher { name: "noise", pooled: &nothing, blocks: &theirs }];
    let misled = Lesson { teachers: &teachers, ..lesson };
    let (with, recipe) = learn(&misled, LearnOptions::default()).unwrap();
    assert!(recipe.notes.iter().any(|note| note.starts_with("noise is not used")), "{recipe:?}");
    assert!(with == projection && recipe.teachers.is_empty(), "{recipe:?}");
    // Of fewer products than can be held out nothing more is learnt.
    let few = Lesson {
        copies: Copies { pooled: &copied[..30], of: &of[..30] },
        ..lesson_of(&pooled[..30], &each[..30], &each[..30], &blocks)
    };
    let (_, recipe) = learn(&few, LearnOptions::default()).unwrap();
    assert_eq!((recipe.projection, recipe.composites), (Method::Principal, None));
}

#[test]
fn copies_that_show_nothing_of_their_products_are_left_out_and_wrong_ones_refused() {
    let (all, blocks) = (ours(80), [block(DIM)]);
    let each: Vec<u32> = (0..80).collect();
    let pooled = refs(&all);
    // All copies are the same picture: which product is meant cannot be seen.
    let same = vec![0.5; DIM];
    let copied = vec![same.as_slice(); 80];
    let none = lesson_of(&pooled, &each, &each, &blocks);
    let of = |copied, of| Lesson { copies: Copies { pooled: copied, of }, ..none };
    let (projection, recipe) = learn(&of(&copied, &each), LearnOptions::default()).unwrap();
    assert_eq!(recipe.composites, None);
    assert!(recipe.notes.iter().any(|n| n.contains("composites are not used")), "{recipe:?}");
    assert_eq!(projection, learn(&none, LearnOptions::default()).unwrap().0);

    let refused = |lesson: Lesson<'_>| learn(&lesson, LearnOptions::default()).unwrap_err().kind();
    assert_eq!(refused(of(&copied[..1], &[80])), ErrorKind::Mismatch);
    assert_eq!(refused(of(&copied[..1], &[3, 4])), ErrorKind::Mismatch);
    let broken = [f32::NAN; DIM];
    assert_eq!(refused(of(&[&broken], &[3])), ErrorKind::BadModel);
}
