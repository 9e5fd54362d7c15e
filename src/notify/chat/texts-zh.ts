import type {ChatTexts} from './texts.ts';

export const CHINESE_CHAT: ChatTexts = {
  alertState: {pending: '待定', firing: '告警', resolved: '已恢复'},
  severity: {info: '提示', warning: '警告', critical: '严重'},
  label: {
    value: '当前值', threshold: '阈值', window: '窗口', n: '样本数', since: '开始于', at: '时间', reason: '原因', changes: '结论',
    evidence: '证据', findings: '发现', replay: '自行复核', open: '在 Assay 中打开', chart: '图表', id: '消息', action: '应采取',
  },
  alertTitle: ({state, severity, rule, about}) => `${state} · ${severity} · ${rule} · ${about}`,
  shortened: '内容已截断,完整内容见链接',
  shortenedRun: command => `内容已截断,完整内容:${command}`,
  digestTitle: messages => `Assay 的 ${messages} 条消息`,
  test: 'Assay 测试消息',
  testLine: '报告和告警将以这种形式发送。',
};
