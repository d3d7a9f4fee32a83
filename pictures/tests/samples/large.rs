//! JPEG files of as many pixels as phones take, made without having them in memory: every block of
//! 8x8 pixels is of one grey.

use super::{HEIGHT, WIDTH, colour};

/// Codes of the usual table for the lengths of differences 0 to 11 (ITU-T T.81, table K.3).
const LENGTHS: [(u8, u16); 12] = [
    (2, 0b00),
    (3, 0b010),
    (3, 0b011),
    (3, 0b100),
    (3, 0b101),
    (3, 0b110),
    (4, 0b1110),
    (5, 0b1_1110),
    (6, 0b11_1110),
    (7, 0b111_1110),
    (8, 0b1111_1110),
    (9, 0b1_1111_1110),
];

#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    held: u32,
    count: u8,
}

impl Bits {
    fn put(&mut self, count: u8, value: u32) {
        self.held = self.held << count | value;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff, marker];
    out.extend((content.len() as u16 + 2).to_be_bytes());
    out.extend(content);
    out
}

/// The scene in grey at any size.
pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    out.extend(segment(0xdb, &[&[0][..], &[8; 64]].concat()));
    let [h1, h0, w1, w0] = [height.to_be_bytes(), width.to_be_bytes()].concat()[..] else {
        unreachable!()
    };
    out.extend(segment(0xc0, &[8, h1, h0, w1, w0, 1, 1, 0x11, 0]));
    let mut counts = [0; 16];
    LENGTHS.iter().for_each(|(length, _)| counts[usize::from(*length) - 1] += 1);
    out.extend(segment(0xc4, &[&[0][..], &counts, &(0..12).collect::<Vec<u8>>()].concat()));
    // One code: the end of the block.
    out.extend(segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat()));
    out.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
    let (across, down) = (u32::from(width).div_ceil(8), u32::from(height).div_ceil(8));
    let mut bits = Bits::default();
    let mut before = 0;
    for y in 0..down {
        for x in 0..across {
            let [r, g, b] = colour(x * WIDTH / across, y * HEIGHT / down);
            let now = (i32::from(r) * 2 + i32::from(g) * 5 + i32::from(b)) / 8 - 128;
            let (difference, length) =
                (now - before, 32 - (now - before).unsigned_abs().leading_zeros());
            before = now;
            let (count, code) = LENGTHS[length as usize];
            bits.put(count, code.into());
            // Negative ones are stored less one.
            let value = if difference < 0 { difference - 1 } else { difference };
            bits.put(length as u8, value.cast_unsigned() & ((1 << length) - 1));
            bits.put(1, 0);
        }
    }
    bits.put(7, 0x7f);
    out.extend(bits.out);
    out.extend([0xff, 0xd9]);
    out
}
