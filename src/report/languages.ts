import type {Language} from '../config/webhooks.ts';
import {ENGLISH, type Texts} from './texts.ts';
import {CHINESE} from './texts-zh.ts';

const BY_LANGUAGE: Readonly<Record<Language, Texts>> = {en: ENGLISH, zh: CHINESE};

/** The words of a report in a language. */
export const textsOf = (language: Language): Texts => BY_LANGUAGE[language];
