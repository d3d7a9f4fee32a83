//! Pages of a shop: the products that their JSON-LD describes.

use std::collections::VecDeque;
use std::io::{self, Read};

use serde_json::Value;

use crate::budget::{TOO_MUCH, TooMuch};
use crate::dialect::schema_org;
use crate::encoding::Text;
use crate::json::{json_error, records};
use crate::record::{Names, Raw};
use crate::report::{Place, Remark};

/// Bytes of a page that are read.
const MAX_PAGE: u64 = 32 << 20;

/// Reads the scripts of type `application/ld+json` of a page.
pub(crate) fn read(text: &mut Text, names: &mut Names) -> io::Result<VecDeque<Raw>> {
    let mut page = String::new();
    text.take(MAX_PAGE).read_to_string(&mut page)?;
    let mut out: VecDeque<Raw> = text.take_bad().into_iter().map(Raw::Bad).collect();
    let lower = page.to_ascii_lowercase();
    let mut at = 0;
    let mut place = Place::START;
    let mut passed = 0;
    while let Some(begin) = lower[at..].find("<script").map(|n| at + n) {
        let Some(inner) = lower[begin..].find('>').map(|n| begin + n + 1) else { break };
        let Some(end) = lower[inner..].find("</script").map(|n| inner + n) else { break };
        at = end;
        if !lower[begin..inner].contains("ld+json") {
            continue;
        }
        place.pass_bytes(&page.as_bytes()[passed..inner]);
        passed = inner;
        let script = page[inner..end].trim_end().trim_end_matches(';');
        match serde_json::from_str::<Value>(script) {
            Ok(value) if schema_org::is_linked(&value) => match records(&value, place, names) {
                Ok(found) => out.extend(found.into_iter().flatten().map(Raw::Record)),
                Err(TooMuch) => {
                    out.push_back(Raw::Refused(Remark { place, why: TOO_MUCH.to_owned() }));
                }
            },
            Ok(_) => {}
            Err(cause) => {
                let (place, why) = json_error(&cause, place);
                out.push_back(Raw::Refused(Remark { place, why }));
            }
        }
    }
    Ok(out)
}
