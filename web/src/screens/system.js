export const open = () => ({ title: () => 'system', view: () => undefined });
