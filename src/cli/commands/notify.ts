import {AssayError} from '../../core/errors.ts';
import {checkUrls} from '../../notify/check-url.ts';
import {SYSTEM_CLOCK} from '../../roles/system.ts';
import {type Command, EXIT} from '../command.ts';

export const notifyCommand: Command = {
  name: 'notify',
  arguments: '<action> [urls...]',
  summary: '`check` whether messages may be posted to URLs: names are resolved, nothing is connected to',
  options: [{flags: '--allow <host>', describe: 'a host (or host:port) that may be plain http or private; may be repeated', isMany: true}],
  needs: 'nothing',
  run: async ({args, options, io}) => {
    const [action, ...urls] = args;
    if (action !== 'check') throw new AssayError('ASSAY_USAGE', `notify knows check, not ${JSON.stringify(action)}`);
    if (urls.length === 0) throw new AssayError('ASSAY_USAGE', 'notify check needs at least one URL');
    const allow = Array.isArray(options['allow']) ? options['allow'].map(String) : [];
    const checked = await checkUrls(urls, {allow, clock: SYSTEM_CLOCK});
    if (options['json'] === true) io.out(`${JSON.stringify(checked)}\n`);
    else for (const {url, allowed, reason} of checked) io.out(`${allowed ? 'allowed' : 'refused'}  ${JSON.stringify(url)}: ${reason}\n`);
    return checked.every(({allowed}) => allowed) ? EXIT.done : EXIT.found;
  },
};
