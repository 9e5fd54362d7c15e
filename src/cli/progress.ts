import type {Io} from './command.ts';

export type Progress = {
  /** Replaces the line on a terminal; elsewhere a new line, when the text's first word changed. */
  show(text: string): void;
  done(): void;
};

/** One line of progress on stderr. */
export function openProgress(io: Pick<Io, 'err' | 'isTerminal'>): Progress {
  let last = '';
  return {
    show: text => {
      if (text === last) return;
      const isNewStage = text.split(' ')[0] !== last.split(' ')[0];
      if (io.isTerminal) io.err(`\r\u001b[K${text}`);
      else if (isNewStage) io.err(`${text}\n`);
      last = text;
    },
    done: () => {
      if (last !== '' && io.isTerminal) io.err('\r\u001b[K');
      last = '';
    },
  };
}
