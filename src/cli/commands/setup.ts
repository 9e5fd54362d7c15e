import {AssayError} from '../../core/errors.ts';
import {type Command, EXIT} from '../command.ts';
import {formatTable} from '../table.ts';
import {openLiveStream} from '../../roles/streams.ts';

export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'bring the warehouse to this version’s tables and views (other commands do so, too)',
  needs: 'platform',
  run: async ({platform, io, options}) => {
    const {warehouse} = await platform();
    const {applied, version} = await warehouse.migrate();
    io.out(options['json'] === true ? `${JSON.stringify({version, applied})}\n` : `the warehouse is at version ${version}\n`);
    return EXIT.done;
  },
};

export const topicsCommand: Command = {
  name: 'topics',
  summary: 'make the topics that are missing and list them all',
  needs: 'platform',
  run: async invocation => {
    const platform = await invocation.platform();
    await openLiveStream(platform);
    const names = (await platform.log.listTopics()).filter(name => name.startsWith('assay.'));
    const rows = await Promise.all(
      names.sort().map(async topic => {
        const info = await platform.log.describeTopic(topic);
        const offsets = await platform.log.offsets(topic);
        const records = offsets.reduce((sum, {start, end}) => sum + Number(end - start), 0);
        return {topic, partitions: info?.partitions ?? 0, clock: info?.clock ?? '', log_epoch: info?.logEpoch ?? 0, records};
      }),
    );
    invocation.io.out(invocation.options['json'] === true ? `${JSON.stringify(rows)}\n` : formatTable(rows));
    return EXIT.done;
  },
};

export const configCommand: Command = {
  name: 'config',
  arguments: '[action]',
  summary: 'show the configuration in force (`config check` only says whether it is right)',
  needs: 'nothing',
  run: async ({args, config, io, options}) => {
    if (args[0] === 'check') {
      io.out(options['json'] === true ? '{"valid":true}\n' : 'the configuration is right\n');
      return EXIT.done;
    }
    if (args[0] !== undefined) throw new AssayError('ASSAY_USAGE', `config knows check, or nothing to show all, not ${JSON.stringify(args[0])}`);
    const values = config.describe();
    if (options['json'] === true) io.out(`${JSON.stringify({...values, webhooks: config.webhooks.map(({name, url, events}) => ({name, url, events}))})}\n`);
    else for (const [key, value] of Object.entries(values)) io.out(`${key}: ${JSON.stringify(value)}\n`);
    return EXIT.done;
  },
};
