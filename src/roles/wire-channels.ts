import type {Config} from '../config/load.ts';
import type {WebhookConfig} from '../config/webhooks.ts';
import {AssayError} from '../core/errors.ts';
import type {Channel} from '../notify/channel.ts';
import {AlertmanagerChannel} from '../notify/alertmanager/alertmanager-channel.ts';
import {dingtalkChannel} from '../notify/dingtalk/dingtalk-channel.ts';
import {feishuChannel} from '../notify/feishu/feishu-channel.ts';
import {GenericChannel} from '../notify/generic/generic-channel.ts';
import type {Endpoint} from '../notify/post-message.ts';
import {slackChannel} from '../notify/slack/slack-channel.ts';
import {wecomChannel} from '../notify/wecom/wecom-channel.ts';

const CHAT = {slack: slackChannel, wecom: wecomChannel, feishu: feishuChannel, dingtalk: dingtalkChannel} as const;

/** The channel of a configured webhook, by its kind. */
export function openChannel(webhook: WebhookConfig, shared: Omit<Endpoint, 'url' | 'allow'>): Channel {
  const {kind, name, url, allow, language, secrets} = webhook;
  const endpoint = {...shared, name, url, allow};
  if (kind === 'generic') return new GenericChannel({...endpoint, secrets});
  const [secret] = secrets;
  return CHAT[kind]({...endpoint, language, ...(secret === undefined ? {} : {secret})});
}

/** The Alertmanager of `notify.alertmanager.url`; null without one. Its name is taken: no webhook can be called so. */
export function openAlertmanager(config: Pick<Config, 'text' | 'list' | 'webhooks'>, shared: Omit<Endpoint, 'url' | 'allow'>): Channel | null {
  const url = config.text('notify.alertmanager.url');
  if (url === '') return null;
  const name = 'alertmanager';
  if (config.webhooks.some(webhook => webhook.name === name)) throw new AssayError('ASSAY_CONFIG_INVALID', `webhooks: the name ${name} belongs to notify.alertmanager.url; call the webhook otherwise`);
  return new AlertmanagerChannel({...shared, name, url, allow: config.list('notify.alertmanager.allow')});
}
