export const open = () => ({ title: () => 'streamers', view: () => undefined });
