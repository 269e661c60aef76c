//! The brightness of a screenshot: a bitmap, which OBS writes in every version and which needs no decompression.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The size of a screenshot: enough samples for a mean, and some kilobytes.
pub(super) const SIZE: (u32, u32) = (64, 36);
/// The largest picture that is read, in pixels on a side.
const MAX_SIDE: usize = 4096;

/// The mean brightness, 0 (black) to 1 (white), of a `data:image/bmp;base64,…`. `None` if it is none.
pub(super) fn luminance(data_url: &str) -> Option<f32> {
    let (_, encoded) = data_url.split_once(";base64,")?;
    mean(&STANDARD.decode(encoded).ok()?)
}

/// The mean brightness of a bitmap of 24 or 32 bits a pixel.
fn mean(bitmap: &[u8]) -> Option<f32> {
    let number = |at: usize| Some(u32::from_le_bytes(bitmap.get(at..at + 4)?.try_into().ok()?));
    let side = |at| {
        // A negative height means that the first row is the top one.
        let side = usize::try_from(number(at)?.cast_signed().unsigned_abs()).ok()?;
        (1..=MAX_SIDE).contains(&side).then_some(side)
    };
    let (width, height) = (side(18)?, side(22)?);
    let bytes = match (bitmap.get(..2)?, bitmap.get(28..30)?) {
        (b"BM", [24, 0]) => 3,
        (b"BM", [32, 0]) => 4,
        _ => return None,
    };
    // Each row is padded to four bytes.
    let (row, start) = ((width * bytes).next_multiple_of(4), usize::try_from(number(10)?).ok()?);
    let rows = bitmap.get(start..start.checked_add(row * height)?)?.chunks_exact(row);
    let pixels = rows.flat_map(|row| row.chunks_exact(bytes).take(width));
    let sum: f64 = pixels.map(brightness).sum();
    let count = u32::try_from(width * height).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "a brightness needs no more precision")]
    Some((sum / f64::from(count)) as f32)
}

/// The luma of a pixel (ITU-R BT.709), which begins with blue, green and red.
fn brightness(pixel: &[u8]) -> f64 {
    let [blue, green, red, ..] = pixel else { return 0.0 };
    (0.0722 * f64::from(*blue) + 0.7152 * f64::from(*green) + 0.2126 * f64::from(*red)) / 255.0
}

#[cfg(test)]
mod tests {
    use streamward_test_support::fuzz::{bytes, fuzz};

    use super::*;

    /// A bitmap whose pixels all have this colour.
    fn bitmap(width: u32, height: i32, bits: u8, colour: [u8; 3]) -> Vec<u8> {
        let mut out = b"BM\0\0\0\0\0\0\0\0".to_vec();
        out.extend(54_u32.to_le_bytes());
        out.extend(40_u32.to_le_bytes());
        out.extend(width.to_le_bytes());
        out.extend(height.to_le_bytes());
        out.extend([1, 0, bits, 0]);
        out.extend([0; 24]);
        for _ in 0..height.unsigned_abs() {
            let start = out.len();
            for _ in 0..width {
                let [red, green, blue] = colour;
                out.extend([blue, green, red]);
                out.extend((bits == 32).then_some(255));
            }
            out.resize(start + (out.len() - start).next_multiple_of(4), 0xff);
        }
        out
    }

    #[test]
    fn brightness_is_the_mean_of_the_pixels() {
        for (bits, height) in [(24, 3), (32, 3), (24, -3)] {
            let of = |colour| (mean(&bitmap(5, height, bits, colour)).unwrap() * 100.0).round();
            assert_eq!((of([0; 3]), of([255; 3])), (0.0, 100.0));
            assert_eq!((of([255, 0, 0]), of([0, 255, 0]), of([0, 0, 255])), (21.0, 72.0, 7.0));
        }
        let url = format!("data:image/bmp;base64,{}", STANDARD.encode(bitmap(64, 36, 24, [51; 3])));
        assert_eq!((luminance(&url).unwrap() * 100.0).round(), 20.0);
    }

    #[test]
    fn what_is_no_bitmap_has_no_brightness() {
        let good = bitmap(5, 3, 24, [9; 3]);
        for length in 0..good.len() {
            assert_eq!(mean(&good[..length]), None);
        }
        assert_eq!(mean(&bitmap(0, 3, 24, [0; 3])), None);
        assert_eq!(mean(&bitmap(5, 3, 8, [0; 3])), None);
        assert_eq!((luminance("BM"), luminance("data:image/bmp;base64,!")), (None, None));
    }

    #[test]
    fn any_picture_has_a_brightness_or_none() {
        fuzz(
            &bytes(&["BM\0\0\0\0\0\0\0\0\u{36}\0\0\0\u{28}\0\0\0\u{1}\0\0\0\u{1}\0\0\0\u{1}\0\u{18}\0"]),
            |bytes| {
                assert!(mean(&bytes).is_none_or(|mean| (0.0..=1.0).contains(&mean)));
            },
        );
    }
}
