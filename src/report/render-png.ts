import {AssayError, messageOf} from '../core/errors.ts';
import {chartSvg} from './chart-svg.ts';
import type {Report} from './report.ts';
import {ENGLISH, type Texts} from './texts.ts';

/** 1,080 pixels: three times the figure's own width, sharp on a phone. */
const WIDTH_PX = 1_080;

const PROBES = {en: ['a', 'b'], zh: ['告', '警']} as const;
const FONTS = {en: 'fonts-dejavu-core', zh: 'fonts-noto-cjk'} as const;

const probeSvg = (letter: string): string => `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><text x="5" y="30" font-size="24" font-family="DejaVu Sans, Noto Sans, Noto Sans CJK SC, sans-serif">${letter}</text></svg>`;

/**
 * The report's main chart as a picture for a chat.
 * @throws AssayError ASSAY_CONFIG_INVALID when this machine cannot draw: no rasteriser for its platform, or no font with the words' letters.
 */
export async function renderPng(report: Report, texts: Texts = ENGLISH): Promise<Uint8Array> {
  const {Resvg} = await import('@resvg/resvg-js').catch((error: unknown) => {
    throw new AssayError('ASSAY_CONFIG_INVALID', `PNG needs the package @resvg/resvg-js with its binary for ${process.platform}-${process.arch} (${messageOf(error)}); install it, or use --format html`, {cause: error});
  });
  const options = {fitTo: {mode: 'width' as const, value: WIDTH_PX}, font: {loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans', sansSerifFamily: 'DejaVu Sans'}};
  // Two letters that look the same are the box for a missing glyph, or nothing at all; a chart without words says nothing.
  const language = texts.language.startsWith('zh') ? 'zh' : 'en';
  const [one, other] = PROBES[language].map(letter => new Resvg(probeSvg(letter), options).render().pixels);
  if (one !== undefined && other !== undefined && one.equals(other)) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `PNG needs a font for the report's language (${language}) and this machine has none; install one (such as ${FONTS[language]}), or use --format html`);
  }
  return new Resvg(chartSvg(report, texts).toString(), options).render().asPng();
}
