use super::*;
use crate::projection::{Block, Matrix};

fn embeddings(count: usize) -> Vec<Embedding> {
    let value = |i: usize, d: usize| ((i * 37 + d * 11) as f32 * 0.618).sin();
    (0..count).map(|i| Embedding::new((0..16).map(|d| value(i, d)).collect()).unwrap()).collect()
}

/// An index of these pictures a product.
fn index_of(counts: &[usize]) -> Index {
    let block = Block { dim: 3, power: 0.5, weight: 1.0 };
    let matrix = Matrix::rounded(3, &[1.0; 48]).unwrap();
    let projection = Projection::new(vec![block], vec![0.0; 3], matrix).unwrap();
    let key = |row: usize| GroupKey { column: "kind".into(), value: ["a", "b"][row % 2].into() };
    let keys: Vec<Vec<GroupKey>> = (0..counts.len()).map(|row| vec![key(row)]).collect();
    let owners = Owners::of_counts(counts.iter().copied()).unwrap();
    let embeddings = embeddings(owners.pictures());
    Index::build(ModelId([7; 32]), projection, &embeddings, owners, &keys).unwrap()
}

/// One picture a product.
fn index(count: usize) -> Index {
    index_of(&vec![1; count])
}

#[test]
fn the_graph_finds_what_the_scan_finds() {
    let (index, queries) = (index(500), embeddings(500));
    let mut agree = 0;
    for (row, query) in queries.iter().enumerate() {
        let exact = index.search_exact(query, 20, |_| true).unwrap();
        let found = index.search(query, 20, 100).unwrap();
        assert!(found[0].score > 0.999 && found.len() == 20, "row {row}");
        agree += exact.iter().filter(|e| found.iter().any(|f| f.product == e.product)).count();
    }
    assert!(agree >= 500 * 20 * 99 / 100, "{agree}");
}

#[test]
fn filters_are_exact_and_order_is_fixed() {
    let index = index(100);
    let query = index.embedding(10).unwrap();
    let odd = index.search_exact(&query, 1000, |row| row % 2 == 1).unwrap();
    assert_eq!(odd.len(), 50);
    assert!(odd.iter().all(|n| n.product % 2 == 1) && odd.is_sorted_by(|a, b| a.score >= b.score));
    assert!(index.search_exact(&query, 0, |_| true).unwrap().is_empty());
    // Large enough for what is kept to be cut on the way.
    let large = self::index(1000);
    let all = large.search_exact(&query, 1000, |_| true).unwrap();
    for k in [1, 20, 90] {
        assert_eq!(large.search_exact(&query, k, |_| true).unwrap(), all[..k]);
    }
    assert!(index.embedding(100).is_err() && index.picture(0, 1).is_err());
    assert!(index.picture(0, u32::MAX).is_err() && index.picture(u32::MAX, 0).is_err());
}

/// What places hold, reckoned the long way.
fn reckoned(
    index: &Index,
    query: &Embedding,
    wanted: &Wanted<impl Fn(u32) -> Option<u32>>,
) -> Vec<(u32, u32)> {
    let code = Code::new(query);
    let mut best: std::collections::BTreeMap<u32, (f32, u32, u32)> = Default::default();
    for product in 0..index.products() as u32 {
        let Some(place) = (wanted.place)(product) else { continue };
        for (picture, row) in index.owners().pictures_of(product).enumerate() {
            let node = index.nodes[row as usize] as usize;
            let score = index.codes.scorer(&code).unwrap().cosine(node);
            let better = best.get(&place).is_none_or(|b| score > b.0);
            if score >= wanted.least && better {
                best.insert(place, (score, product, picture as u32));
            }
        }
    }
    let mut all: Vec<_> = best.into_values().collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    all.into_iter().take(wanted.k).map(|(_, product, picture)| (product, picture)).collect()
}

#[test]
fn places_are_filled_by_their_best_picture_through_graph_and_scan() {
    // Products of one to nine pictures, and three with a hundred each.
    let mut counts: Vec<usize> = (0..120).map(|i| 1 + i % 9).collect();
    counts.extend([100; 3]);
    let index = index_of(&counts);
    let pairs = |found: Vec<Neighbour>| -> Vec<(u32, u32)> {
        found.into_iter().map(|n| (n.product, n.picture)).collect()
    };
    let mut agree = (0, 0);
    for product in 0..123 {
        let query = index.picture(product, 0).unwrap();
        let own = Wanted::best(20, |p| (p != product).then_some(p));
        // Groups of four; every fifth product is left out.
        let fours = Wanted::best(20, |p| (p % 5 != 0).then_some(p / 4 * 4));
        let few = Wanted { k: 20, least: 0.5, place: |p| Some(p % 3) };
        let exact = pairs(index.search_places_exact(&query, &own).unwrap());
        assert_eq!(exact, reckoned(&index, &query, &own));
        assert!(exact.iter().all(|hit| hit.0 != product) && exact.len() == 20);
        let exact = pairs(index.search_places_exact(&query, &fours).unwrap());
        assert_eq!(exact, reckoned(&index, &query, &fours));
        let found = pairs(index.search_places(&query, 64, &fours).unwrap());
        assert_eq!(found.len(), exact.len());
        agree.0 += exact.iter().filter(|hit| found.contains(hit)).count();
        agree.1 += exact.len();
        let exact = pairs(index.search_places_exact(&query, &few).unwrap());
        assert_eq!(exact, reckoned(&index, &query, &few));
        assert!(exact.len() <= 3);
        // More than there are: everything, once.
        let all = index.search(&query, 1000, 64).unwrap();
        let mut products: Vec<u32> = all.iter().map(|n| n.product).collect();
        products.sort_unstable();
        assert!(products.into_iter().eq(0..123));
    }
    assert!(agree.0 * 100 >= agree.1 * 99, "{agree:?}");
}

#[test]
fn groups_are_found_by_key_and_count_products() {
    let index = index_of(&[[1usize, 3]; 50].concat());
    let key = |value: &str| GroupKey { column: "kind".into(), value: value.into() };
    assert_eq!(index.groups().len(), 2);
    assert_eq!(index.group(&key("b")).unwrap(), &index.groups()[1]);
    assert_eq!(index.groups()[1].count, 50, "three pictures of a product are one vote");
    // One picture, then three, and so on.
    let all = embeddings(200);
    let mean = Embedding::mean((0..50).map(|i| &all[4 * i + 1])).unwrap();
    assert!(index.groups()[1].centroid.dot(&mean).unwrap() > 0.999);
    assert_eq!(index.group(&key("c")).unwrap_err().kind(), ErrorKind::BadQuery);
    assert!(index.direction(Some(&key("a")), &key("b")).unwrap().length() > 0.0);
    assert!(index.direction(None, &key("b")).unwrap().length() > 0.0);
    assert!(index.direction(Some(&key("b")), &key("b")).is_err());
}

#[test]
fn the_file_round_trips() {
    for counts in [vec![1; 120], [[1usize, 200, 2]; 3].concat(), vec![1], vec![3]] {
        let index = index_of(&counts);
        let bytes = index.write();
        assert_eq!(Index::read(&bytes).unwrap(), index);
        assert_eq!(bytes, index_of(&counts).write(), "building twice must give the same bytes");
    }
}

#[test]
fn files_of_the_last_format_say_what_to_do() {
    let mut old = index(40).write();
    old[8] = 2;
    let error = Index::read(&old).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    let said = error.to_string();
    assert!(said.contains("format 2") && said.contains("`lookalike index`"), "{said}");
}

#[test]
fn damaged_files_are_refused_whatever_is_damaged() {
    let bytes = index_of(&[[1usize, 3]; 10].concat()).write();
    for cut in (0..bytes.len()).step_by(37) {
        assert_eq!(Index::read(&bytes[..cut]).unwrap_err().kind(), ErrorKind::BadIndex);
        assert_eq!(Index::read_checked(&bytes[..cut]).unwrap_err().kind(), ErrorKind::BadIndex);
    }
    // Behind the checksum's back: every field is checked for itself.
    for at in 48..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            assert!(Index::read(&damaged).is_err(), "byte {at}");
            if let Ok(read) = Index::read_checked(&damaged) {
                let query = embeddings(1).remove(0);
                let _ = read.search(&query, 5, 10);
                let _ = read.search_exact(&query, 5, |_| true);
                let _ = read.picture(19, 2);
            }
        }
    }
}
