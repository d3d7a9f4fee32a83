//! Prices in any usual writing. Which of comma and point is the decimal one is decided for a
//! column: [`Evidence`] looks over its values, [`Decimal`] is what follows.

/// The character before the fraction of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimal {
    /// `1,299.00`
    Point,
    /// `1.299,00`
    Comma,
}

impl Decimal {
    /// Its name in JSON and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::Comma => "comma",
        }
    }
}

/// A price as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Price {
    pub(crate) amount: f64,
    pub(crate) currency: Money,
}

/// What a price says of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Money {
    /// Nothing.
    Unsaid,
    /// An ISO 4217 code.
    Code(String),
    /// A sign that several share, the likeliest first: `$` is any dollar. An empty first one says
    /// that none is likely enough.
    Sign(&'static [&'static str]),
}

/// What the values of a column say about its decimal character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    point: u64,
    comma: u64,
    /// Three digits behind the only point, or comma: `1.299`. It may be either.
    open_point: u64,
    open_comma: u64,
}

impl Evidence {
    /// Looks at a value.
    pub(crate) fn add(&mut self, text: &str) {
        let Some((number, _)) = parts(text) else { return };
        let points = number.matches('.').count();
        let commas = number.matches(',').count();
        let (one, count, separator) = match (points, commas) {
            (0, 0) => return,
            (_, 0) => (&mut self.point, points, '.'),
            (0, _) => (&mut self.comma, commas, ','),
            // Both: the last is the decimal one, if it is there once.
            _ => {
                if number.rfind('.') > number.rfind(',') {
                    self.point += u64::from(points == 1);
                } else {
                    self.comma += u64::from(commas == 1);
                }
                return;
            }
        };
        if count == 1 {
            let (whole, fraction) = number.split_once(separator).unwrap_or((&number, ""));
            let open = fraction.len() == 3
                && (1..=3).contains(&whole.len())
                && !whole.starts_with('0')
                && whole.bytes().all(|b| b.is_ascii_digit());
            if !open {
                *one += 1;
            } else if separator == '.' {
                self.open_point += 1;
            } else {
                self.open_comma += 1;
            }
        } else if separator == '.' {
            // 1.234.567: what groups is not the decimal character.
            self.comma += 1;
        } else {
            self.point += 1;
        }
    }

    /// Takes another column's evidence along.
    pub(crate) fn join(&mut self, other: Self) {
        self.point += other.point;
        self.comma += other.comma;
        self.open_point += other.open_point;
        self.open_comma += other.open_comma;
    }

    /// What most values say; `None` if none says anything.
    pub(crate) fn verdict(self) -> Option<Decimal> {
        match self.point.cmp(&self.comma) {
            std::cmp::Ordering::Greater => Some(Decimal::Point),
            std::cmp::Ordering::Less => Some(Decimal::Comma),
            std::cmp::Ordering::Equal if self.point > 0 => Some(Decimal::Point),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// What to go by where no value, in this column or its neighbours, says anything: three digits
    /// behind a separator are thousands, unless the currency has fractions of three digits.
    pub(crate) fn guess(self, currency: Option<&str>) -> Decimal {
        const MILLS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
        let points_group = self.open_point > self.open_comma;
        let fractions = currency.is_some_and(|c| MILLS.contains(&c));
        if points_group == fractions { Decimal::Point } else { Decimal::Comma }
    }

    /// Whether values were seen that may be thousands or fractions.
    pub(crate) fn is_open(self) -> bool {
        self.open_point + self.open_comma > 0
    }
}

/// Reads a price in a column with this decimal character.
pub(crate) fn parse(text: &str, decimal: Decimal) -> Option<Price> {
    let (number, currency) = parts(text)?;
    let (point, group) = match decimal {
        Decimal::Point => ('.', ','),
        Decimal::Comma => (',', '.'),
    };
    let (whole, fraction) = match number.split_once(point) {
        Some((whole, fraction)) => (whole, fraction),
        None => (number.as_str(), ""),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let mut groups = whole.split(group);
    let first = groups.next().unwrap_or_default();
    let mut joined = first.to_owned();
    let mut grouped = false;
    for part in groups {
        // Thousands, and two digits before them as in India: 1,00,000.
        if !matches!(part.len(), 2 | 3) {
            return None;
        }
        grouped = true;
        joined.push_str(part);
    }
    let last_group_is_three = !grouped || whole.rsplit(group).next().is_some_and(|g| g.len() == 3);
    if !digits(&joined) || !last_group_is_three || (grouped && !(1..=3).contains(&first.len())) {
        return None;
    }
    let amount: f64 = format!(
        "{}.{}",
        if joined.is_empty() { "0" } else { &joined },
        if fraction.is_empty() { "0" } else { fraction }
    )
    .parse()
    .ok()?;
    (amount.is_finite() && amount < 1e15).then_some(Price { amount, currency })
}

/// The number, digits with points and commas alone, and the currency of a price. `None` if it is
/// anything else than a price.
fn parts(text: &str) -> Option<(String, Money)> {
    if text.len() > 100 {
        return None;
    }
    // What a price is for: 15.00 USD/mo, 12 € per m².
    let text = text.trim().split('/').next().unwrap_or_default();
    let lower = text.to_lowercase();
    let text = match lower.find(" per ").filter(|_| lower.len() == text.len()) {
        Some(at) => &text[..at],
        None => text,
    };
    let is_digit = |c: char| c.is_ascii_digit();
    let begin = text.find(is_digit)?;
    let begin = match text[..begin].chars().next_back() {
        // .99
        Some('.') if !text[..begin - 1].ends_with(char::is_alphabetic) => begin - 1,
        _ => begin,
    };
    let end = text.rfind(is_digit)? + 1;
    let (before, middle, after) = (&text[..begin], &text[begin..end], &text[end..]);
    let mut number = String::with_capacity(middle.len());
    let mut characters = middle.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '0'..='9' | '.' | ',' => number.push(c),
            // Thousands: spaces of all kinds and apostrophes, between digits and before three.
            '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{2007}' => {
                let group: String = characters.clone().take_while(|&c| is_digit(c)).collect();
                if group.len() != 3 || !number.ends_with(is_digit) {
                    return None;
                }
            }
            _ => return None,
        }
    }
    // 12,- and 12.– mean that nothing follows.
    let after = after.trim_start_matches([',', '.']).trim_start_matches(['-', '–', '—']);
    let before = before.trim();
    if before.ends_with(['-', '–', '−', '(']) {
        return None;
    }
    let words: Vec<&str> = [before, after].iter().flat_map(|s| s.split_whitespace()).collect();
    let words: Vec<&str> = words
        .into_iter()
        .filter(|w| !FROM.contains(&w.trim_end_matches(':').to_lowercase().as_str()))
        .collect();
    match words.as_slice() {
        [] => Some((number, Money::Unsaid)),
        [word] => Some((number, money(word)?)),
        // US $ 12
        [code, sign] => match (money(code)?, money(sign)?) {
            (Money::Code(code), Money::Sign(of)) | (Money::Sign(of), Money::Code(code))
                if of.contains(&code.as_str()) =>
            {
                Some((number, Money::Code(code)))
            }
            (a, b) if a == b => Some((number, a)),
            _ => None,
        },
        _ => None,
    }
}

/// Words before the lowest of several prices.
const FROM: [&str; 8] = ["from", "ab", "dès", "desde", "da", "vanaf", "od", "fra"];

/// The currency that a word means.
pub(crate) fn money(word: &str) -> Option<Money> {
    let word = word.trim();
    let upper = word.to_uppercase();
    if let Some((_, codes)) = SIGNS.iter().find(|(sign, _)| *sign == upper) {
        return Some(match codes {
            [code] => Money::Code((*code).to_owned()),
            codes => Money::Sign(codes),
        });
    }
    let known = upper.len() == 3 && CODES.split(' ').any(|code| code == upper);
    known.then_some(Money::Code(upper))
}

const SIGNS: [(&str, &[&str]); 40] = [
    ("€", &["EUR"]),
    ("EURO", &["EUR"]),
    ("EUROS", &["EUR"]),
    ("$", &["USD", "AUD", "CAD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP", "TWD", "BRL"]),
    ("US$", &["USD"]),
    ("US", &["USD"]),
    ("A$", &["AUD"]),
    ("AU$", &["AUD"]),
    ("C$", &["CAD"]),
    ("CA$", &["CAD"]),
    ("NZ$", &["NZD"]),
    ("S$", &["SGD"]),
    ("HK$", &["HKD"]),
    ("NT$", &["TWD"]),
    ("MX$", &["MXN"]),
    ("R$", &["BRL"]),
    ("£", &["GBP", "EGP", "LBP"]),
    ("¥", &["JPY", "CNY"]),
    ("円", &["JPY"]),
    ("元", &["CNY"]),
    ("₹", &["INR"]),
    ("RS", &["", "INR", "PKR", "LKR", "NPR"]),
    ("RS.", &["", "INR", "PKR", "LKR", "NPR"]),
    ("₩", &["KRW"]),
    ("₽", &["RUB"]),
    ("РУБ", &["RUB"]),
    ("РУБ.", &["RUB"]),
    ("₺", &["TRY"]),
    ("TL", &["TRY"]),
    ("₴", &["UAH"]),
    ("₫", &["VND"]),
    ("฿", &["THB"]),
    ("₪", &["ILS"]),
    ("ZŁ", &["PLN"]),
    ("KČ", &["CZK"]),
    ("FT", &["HUF"]),
    ("KR", &["", "SEK", "NOK", "DKK", "ISK"]),
    ("KR.", &["", "DKK", "NOK", "SEK", "ISK"]),
    ("FR.", &["CHF"]),
    ("SFR.", &["CHF"]),
];

const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB \
    BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB \
    EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD \
    JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT \
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR \
    RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND \
    TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str) -> Money {
        Money::Code(code.to_owned())
    }

    #[test]
    fn prices_of_any_usual_writing_are_read() {
        use Decimal::{Comma, Point};
        for (text, decimal, amount, currency) in [
            ("12.50", Point, 12.5, Money::Unsaid),
            ("1 299.00", Point, 1299.0, Money::Unsaid),
            ("1\u{a0}299,00", Comma, 1299.0, Money::Unsaid),
            ("1\u{202f}299,00 €", Comma, 1299.0, code("EUR")),
            ("1'299.00", Point, 1299.0, Money::Unsaid),
            ("CHF 1’299.–", Point, 1299.0, code("CHF")),
            ("1.299,00", Comma, 1299.0, Money::Unsaid),
            ("1,299.00", Point, 1299.0, Money::Unsaid),
            ("1,299", Comma, 1.299, Money::Unsaid),
            ("2,4", Comma, 2.4, Money::Unsaid),
            ("1,299", Point, 1299.0, Money::Unsaid),
            ("1.234.567", Comma, 1_234_567.0, Money::Unsaid),
            ("1,00,000.00", Point, 100_000.0, Money::Unsaid),
            ("€ 12", Comma, 12.0, code("EUR")),
            ("EUR 12.50", Point, 12.5, code("EUR")),
            ("12.50USD", Point, 12.5, code("USD")),
            ("12.50 usd", Point, 12.5, code("USD")),
            ("15.00 USD/mo", Point, 15.0, code("USD")),
            ("15.00/month", Point, 15.0, Money::Unsaid),
            ("12,-", Comma, 12.0, Money::Unsaid),
            ("12.- CHF", Point, 12.0, code("CHF")),
            ("US$ 12.50", Point, 12.5, code("USD")),
            ("USD $12.50", Point, 12.5, code("USD")),
            ("ab 12,00 €", Comma, 12.0, code("EUR")),
            ("129 zł", Comma, 129.0, code("PLN")),
            (".99", Point, 0.99, Money::Unsaid),
            ("0", Point, 0.0, Money::Unsaid),
        ] {
            let price = parse(text, decimal);
            assert_eq!(price, Some(Price { amount, currency }), "{text}");
        }
        let Some(Price { amount, currency: Money::Sign(of) }) = parse("$12.50", Point) else {
            panic!("$12.50");
        };
        assert_eq!((amount, of[0]), (12.5, "USD"));
    }

    #[test]
    fn what_is_no_price_is_none() {
        for text in
            ["", "cheap", "-5", "2,4", "1,2345", "12 apples", "10 - 20", "1.2.3", "€", "NaN", "1e5"]
        {
            assert_eq!(parse(text, Decimal::Point), None, "{text}");
        }
        assert_eq!(parse("12.50", Decimal::Comma), None);
        assert_eq!(parse(&"9".repeat(99), Decimal::Point), None);
    }

    #[test]
    fn a_column_decides_and_a_value_alone_does_not() {
        let decide = |values: &[&str]| {
            let mut evidence = Evidence::default();
            values.iter().for_each(|v| evidence.add(v));
            evidence.verdict()
        };
        assert_eq!(decide(&["1,299", "2,4"]), Some(Decimal::Comma));
        assert_eq!(decide(&["1,299", "2.4"]), Some(Decimal::Point));
        assert_eq!(decide(&["1.299,00 €", "1.299"]), Some(Decimal::Comma));
        assert_eq!(decide(&["1.234.567"]), Some(Decimal::Comma));
        assert_eq!(decide(&["0.125"]), Some(Decimal::Point));
        assert_eq!(decide(&["1,299", "12"]), None);
        let mut open = Evidence::default();
        open.add("1.299");
        assert_eq!((open.guess(None), open.guess(Some("KWD"))), (Decimal::Comma, Decimal::Point));
        let mut open = Evidence::default();
        open.add("1,299");
        assert_eq!((open.guess(None), open.guess(Some("KWD"))), (Decimal::Point, Decimal::Comma));
    }
}
