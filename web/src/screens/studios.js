export const open = () => ({ title: () => 'studios', view: () => undefined });
