import type {WebhookConfig} from '../config/webhooks.ts';
import type {Channel} from '../notify/channel.ts';
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
