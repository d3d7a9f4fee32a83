//! Reads a Sweet Home 3D furniture library: a zip with a properties file that
//! lists pieces as `name#N=…`, `icon#N=…`, and the pictures that these name.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};

use anyhow::{Context, Result, bail, ensure};
use zip::ZipArchive;

const PROPERTIES: &str = "PluginFurnitureCatalog.properties";
/// A picture larger than this is no icon of a piece of furniture.
const ENTRY_LIMIT: u64 = 64 << 20;

pub struct Library {
    pub name: String,
    /// The library's own licence text.
    pub licence_text: String,
    pub pieces: Vec<Piece>,
    archive: ZipArchive<Cursor<Vec<u8>>>,
}

/// One entry; what the library leaves out is empty.
#[derive(Debug, PartialEq)]
pub struct Piece {
    /// The part of its id after the library's name.
    pub key: String,
    pub name: String,
    pub category: String,
    pub tags: String,
    pub creator: String,
    /// In centimetres, as written.
    pub size: [String; 3],
    pub icon: String,
    pub model: String,
}

impl Library {
    pub fn read(bytes: Vec<u8>) -> Result<Self> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).context("not a zip file")?;
        let text = read_entry(&mut archive, PROPERTIES)?;
        let (name, pieces) = parse(&text).with_context(|| PROPERTIES.to_owned())?;
        let licence = read_entry(&mut archive, "LICENSE.TXT")?;
        let licence_text = String::from_utf8_lossy(&licence).trim().replace("\r\n", "\n");
        Ok(Self { name, licence_text, pieces, archive })
    }

    /// The bytes of a piece's picture.
    pub fn icon(&mut self, piece: &Piece) -> Result<Vec<u8>> {
        read_entry(&mut self.archive, piece.icon.trim_start_matches('/'))
    }

    /// The page that the piece's model came from, where a licence file beside the model names one.
    pub fn origin(&mut self, piece: &Piece) -> Result<Option<String>> {
        let Some((folder, _)) = piece.model.trim_start_matches('/').rsplit_once('/') else {
            return Ok(None);
        };
        let is_licence = |name: &str| {
            name.rsplit_once('/').is_some_and(|(of, file)| {
                of == folder && file.to_ascii_lowercase().contains("license")
            })
        };
        let mut names = self.archive.file_names().flatten();
        let Some(file) = names.find(|name| is_licence(name)).map(|name| name.into_owned()) else {
            return Ok(None);
        };
        drop(names);
        let text = read_entry(&mut self.archive, &file)?;
        Ok(blend_page(&String::from_utf8_lossy(&text)))
    }
}

/// The address of the model's page on blendswap.com, if the text names it.
fn blend_page(text: &str) -> Option<String> {
    const PAGE: &str = "www.blendswap.com/blends/view/";
    let (_, rest) = text.split_once(PAGE)?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!number.is_empty()).then(|| format!("https://{PAGE}{number}"))
}

/// The library's name and its pieces in the order of their numbers.
fn parse(properties: &[u8]) -> Result<(String, Vec<Piece>)> {
    // The format's own encoding, Latin-1 with \u escapes, is the reader's default.
    let all: HashMap<String, String> = java_properties::read(Cursor::new(properties))?;
    let mut numbered: BTreeMap<u32, HashMap<&str, &str>> = BTreeMap::new();
    for (key, value) in &all {
        // The libraries have a few slips such as `dropOnTopElevation#-1`; what belongs to no piece is left out.
        let Some((field, number)) = key.split_once('#') else {
            continue;
        };
        if let Ok(number) = number.parse() {
            numbered.entry(number).or_default().insert(field, value.trim());
        }
    }
    let library = all.get("name").context("the library has no name")?.clone();
    let pieces = numbered
        .iter()
        .map(|(number, fields)| piece(fields).with_context(|| format!("piece {number}")))
        .collect::<Result<_>>()?;
    Ok((library, pieces))
}

fn piece(fields: &HashMap<&str, &str>) -> Result<Piece> {
    let optional = |field: &str| fields.get(field).copied().unwrap_or_default().to_owned();
    let required = |field: &str| match fields.get(field) {
        Some(value) if !value.is_empty() => Ok((*value).to_owned()),
        _ => bail!("has no {field}"),
    };
    let id = required("id")?;
    let (_, key) = id.rsplit_once('#').with_context(|| format!("odd id {id}"))?;
    Ok(Piece {
        key: key.to_owned(),
        name: required("name")?,
        category: required("category")?,
        tags: optional("tags"),
        creator: optional("creator"),
        size: ["width", "depth", "height"].map(optional),
        icon: required("icon")?,
        model: optional("model"),
    })
}

fn read_entry(archive: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Result<Vec<u8>> {
    let entry = archive.by_name(name).with_context(|| format!("the library holds no {name}"))?;
    let mut bytes = Vec::new();
    entry
        .take(ENTRY_LIMIT + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("unpacking {name}"))?;
    ensure!(bytes.len() as u64 <= ENTRY_LIMIT, "{name} is larger than {ENTRY_LIMIT} bytes");
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_the_order_of_their_numbers() -> Result<()> {
        let text = "name=Lib\n\
            id#10=Lib#b\nname#10=B\ncategory#10=Office\nicon#10=/b.png\n\
            # a comment\n\
            dropOnTopElevation#-1\n\
            id#2=Lib#a\nname#2=Bill 10\\u20ac caf\u{e9}\ncategory#2=Living room\nicon#2=/a.png\n\
            width#2=59.4\ndepth#2=62.7\nheight#2=105\ntags#2=Seat, Old\ncreator#2=Somebody\n";
        let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let (name, pieces) = parse(&latin1)?;
        assert_eq!(name, "Lib");
        assert_eq!(pieces.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(pieces[0].name, "Bill 10€ café");
        assert_eq!(pieces[0].size, ["59.4", "62.7", "105"]);
        assert_eq!(pieces[1].creator, "");
        Ok(())
    }

    #[test]
    fn a_piece_without_a_picture_is_named() {
        let error = parse(b"name=L\nid#7=L#a\nname#7=A\ncategory#7=C\n").expect_err("no icon");
        let error = format!("{error:#}");
        assert!(error.contains("piece 7") && error.contains("icon"), "{error}");
    }

    #[test]
    fn the_page_of_a_model_is_found_in_its_licence() {
        let found = blend_page("Downloaded from http://www.blendswap.com/blends/view/70974\n\nThe");
        assert_eq!(found.as_deref(), Some("https://www.blendswap.com/blends/view/70974"));
        assert_eq!(blend_page("http://www.blendswap.com/blends/view/"), None);
        assert_eq!(blend_page("nothing"), None);
    }

    #[test]
    fn what_is_no_library_is_refused() {
        assert!(Library::read(b"PK nonsense".to_vec()).is_err());
    }
}
