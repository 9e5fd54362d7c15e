import type {Markup} from '../../report/markup.ts';

type HtmlPolicy = {createHTML(text: string): unknown};
type PolicyFactory = {createPolicy(name: string, rules: {createHTML(text: string): string}): HtmlPolicy};

/** Browsers with trusted types take markup from this policy alone; it is given nothing but {@link Markup}. */
const factory = (globalThis as {trustedTypes?: PolicyFactory}).trustedTypes;
const policy: HtmlPolicy = factory === undefined ? {createHTML: text => text} : factory.createPolicy('assay-figures', {createHTML: text => text});

/** A figure of the report, drawn by the same code; `Markup` has escaped every name in it. */
export const Figure = ({drawing}: {readonly drawing: Markup}) => <div class="figure" dangerouslySetInnerHTML={{__html: policy.createHTML(drawing.toString()) as string}} />;
