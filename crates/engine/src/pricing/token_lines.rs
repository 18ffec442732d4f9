//! The lines of a receipt that are for tokens.

use domain::usage::Parts;

use super::billed::{Billed, BilledAs, Unpriced, is_anthropic};
use super::lines::{Lines, per_thousand};
use super::{PriceRow, TokenRates};

pub(super) fn token_lines(
    row: &PriceRow,
    billed: &Billed<'_>,
    rates: TokenRates,
    lines: &mut Lines,
) -> Result<(), Unpriced> {
    let usage = billed.tokens;
    let input = rates.input.ok_or(Unpriced::Rate)?;
    let counted = |count: Option<i64>, rate: Option<i64>| match (count, rate) {
        (Some(count), _) => Ok(count),
        // What is free need not be counted.
        (None, None | Some(0)) => Ok(0),
        (None, Some(_)) => Err(Unpriced::Uncounted),
    };
    usage.total().ok_or(Unpriced::Uncounted)?;
    let write_1h = usage.cache_write_1h.unwrap_or(0);
    let write_5m = usage
        .cache_write
        .unwrap_or(write_1h)
        .checked_sub(write_1h)
        .ok_or(Unpriced::Uncounted)?;
    let derived =
        |permille: i64| i64::try_from(per_thousand(input, permille)).map_err(|_beyond| Unpriced::TooMuch);
    let factors = if is_anthropic(row) {
        [100, 1_250, 2_000]
    } else {
        [1_000; 3]
    };
    // A provider that has one price for writing has it for an hour as well.
    let hour_factor = rates.cache_write_5m.filter(|_| !is_anthropic(row));
    let cache_read = usage.cache_read.unwrap_or(0);
    let parts = InputParts::of(row, billed, &rates)?;
    let fresh = counted(usage.input_fresh, rates.input)?;
    lines.add(BilledAs::Input, less(fresh, parts.fresh.sum())?, input, false)?;
    let cached = [
        (
            BilledAs::CacheRead,
            less(cache_read, parts.cached.sum())?,
            rates.cache_read,
            derived(factors[0])?,
        ),
        (
            BilledAs::CacheWrite5m,
            write_5m,
            rates.cache_write_5m,
            derived(factors[1])?,
        ),
        (
            BilledAs::CacheWrite1h,
            write_1h,
            rates.cache_write_1h,
            hour_factor.unwrap_or(derived(factors[2])?),
        ),
    ];
    for (bucket, count, listed, derived) in cached {
        lines.add(bucket, count, listed.unwrap_or(derived), listed.is_none())?;
    }
    let input_parts = [
        (
            BilledAs::InputAudio,
            parts.fresh.audio,
            rates.input_audio,
            audio_as_text(row, input),
        ),
        (
            BilledAs::InputImage,
            parts.fresh.image,
            rates.input_image,
            Some(input),
        ),
        (
            BilledAs::InputVideo,
            parts.fresh.video,
            rates.input_video,
            Some(input),
        ),
        (
            BilledAs::CacheReadAudio,
            parts.cached.audio,
            rates.cache_read_audio,
            None,
        ),
        (
            BilledAs::CacheReadImage,
            parts.cached.image,
            rates.cache_read_image,
            None,
        ),
    ];
    for (bucket, count, listed, instead) in input_parts {
        if let Some(count) = count.filter(|count| *count != 0) {
            let rate = listed.or(instead).ok_or(Unpriced::Rate)?;
            lines.add(bucket, count, rate, listed.is_none())?;
        }
    }
    // A model that speaks or paints has several rates for its output, so how much was which has to be said.
    let has_others = [rates.output_audio, rates.output_image, rates.output_video]
        .into_iter()
        .flatten()
        .any(|rate| Some(rate) != rates.output);
    if has_others && !row.project_own && usage.output.unwrap_or(0) != 0 && billed.details.output.is_empty() {
        return Err(Unpriced::Parts);
    }
    output_lines(billed, rates, counted(usage.output, rates.output)?, lines)?;
    match (billed.details.citations.unwrap_or(0), rates.citations) {
        (0, _) => Ok(()),
        (count, rate) => lines.add(BilledAs::Citations, count, rate.ok_or(Unpriced::Rate)?, false),
    }
}

/// Google asks the same for sound as for text where its list has no other rate.
fn audio_as_text(row: &PriceRow, input: i64) -> Option<i64> {
    row.provider.eq_ignore_ascii_case("google").then_some(input)
}

fn output_lines(
    billed: &Billed<'_>,
    rates: TokenRates,
    output: i64,
    lines: &mut Lines,
) -> Result<(), Unpriced> {
    let parts = billed.details.output;
    let mut text = less(output, parts.sum())?;
    if let Some(rate) = rates.output_reasoning {
        let reasoning = billed.tokens.reasoning.ok_or(Unpriced::Uncounted)?;
        text = less(text, reasoning)?;
        lines.add(BilledAs::OutputReasoning, reasoning, rate, false)?;
    }
    if text != 0 {
        lines.add(BilledAs::Output, text, rates.output.ok_or(Unpriced::Rate)?, false)?;
    }
    for (bucket, count, rate) in [
        (BilledAs::OutputAudio, parts.audio, rates.output_audio),
        (BilledAs::OutputImage, parts.image, rates.output_image),
        (BilledAs::OutputVideo, parts.video, rates.output_video),
    ] {
        if let Some(count) = count.filter(|count| *count != 0) {
            lines.add(bucket, count, rate.ok_or(Unpriced::Rate)?, false)?;
        }
    }
    Ok(())
}

/// What of the fresh and of the cached input is not text and costs something else than text.
struct InputParts {
    fresh: Parts,
    cached: Parts,
}

impl InputParts {
    fn of(row: &PriceRow, billed: &Billed<'_>, rates: &TokenRates) -> Result<Self, Unpriced> {
        let (whole, cached) = (billed.details.input, billed.details.cache_read);
        let is_cached = billed.tokens.cache_read.unwrap_or(0) != 0;
        // Listed for ordinary calls and not for those of this tier or size.
        let ordinary = &row.rates.tokens;
        let pairs = [
            (whole.audio, ordinary.input_audio, rates.input_audio),
            (whole.image, ordinary.input_image, rates.input_image),
            (whole.video, ordinary.input_video, rates.input_video),
        ];
        for (count, listed, here) in pairs {
            if count.is_some_and(|count| count != 0) && listed.is_some() && here.is_none() {
                return Err(Unpriced::Rate);
            }
        }
        // A part without a rate of its own is text to the bill, cached or not.
        let as_text = |listed: Option<i64>, listed_cached: Option<i64>, is_possible: bool| {
            is_possible && listed.is_none_or(|rate| Some(rate) == rates.input) && listed_cached.is_none()
        };
        let input = rates.input.unwrap_or(0);
        let part =
            |whole: Option<i64>, cached: Option<i64>, as_text: bool| -> Result<[Option<i64>; 2], Unpriced> {
                let Some(whole) = whole.filter(|count| *count != 0 && !as_text) else {
                    return Ok([None, None]);
                };
                match cached {
                    Some(cached) => Ok([Some(less(whole, cached)?), Some(cached)]),
                    None if is_cached => Err(Unpriced::Parts),
                    None => Ok([Some(whole), None]),
                }
            };
        let audio_is_text = as_text(
            rates.input_audio,
            rates.cache_read_audio,
            audio_as_text(row, input).is_some(),
        );
        let [audio, audio_cached] = part(whole.audio, cached.audio, audio_is_text)?;
        let image_is_text = as_text(rates.input_image, rates.cache_read_image, true);
        let [image, image_cached] = part(whole.image, cached.image, image_is_text)?;
        let [video, video_cached] = part(whole.video, cached.video, as_text(rates.input_video, None, true))?;
        if video_cached.is_some_and(|count| count != 0) {
            return Err(Unpriced::Rate);
        }
        Ok(Self {
            fresh: Parts { audio, image, video },
            cached: Parts {
                audio: audio_cached,
                image: image_cached,
                video: None,
            },
        })
    }
}

/// What is left of a whole; a part that is larger than it, or below zero, was not counted right.
fn less(whole: i64, part: i64) -> Result<i64, Unpriced> {
    if part < 0 || part > whole.max(0) && part != 0 {
        return Err(Unpriced::Parts);
    }
    Ok(whole - part)
}
